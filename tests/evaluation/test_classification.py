"""Metrics against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, roc_auc_score

from pipeline.evaluation import classification
from pipeline.types import Predictions


def some(seed: int, n: int, classes: int) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(rng.integers(0, classes, n), rng.dirichlet(np.ones(classes), n), tuple(map(str, range(classes))))


@given(st.integers(0, 1000), st.integers(1, 200), st.integers(2, 12))
def test_metrics_equal_scikit_learns(seed: int, n: int, classes: int) -> None:
    predictions = some(seed, n, classes)
    guess = predictions.y_score.argmax(axis=1)
    ours = classification.metrics(predictions)
    assert ours["accuracy"] == pytest.approx(accuracy_score(predictions.y_true, guess))
    assert ours["loss"] == pytest.approx(log_loss(predictions.y_true, predictions.y_score, labels=range(classes)))
    if classes == 2 and len(set(predictions.y_true)) == 2:
        assert ours["roc_auc"] == pytest.approx(roc_auc_score(predictions.y_true, predictions.y_score[:, 1]))
    else:
        assert "roc_auc" not in ours
    expected = confusion_matrix(predictions.y_true, guess, labels=range(classes))
    np.testing.assert_array_equal(classification.confusion(predictions), expected)


def test_a_certain_and_wrong_answer_costs_much_but_not_infinity() -> None:
    loss = classification.metrics(Predictions(np.array([0]), np.array([[0.0, 1.0]]), ("a", "b")))["loss"]
    assert 700 < loss < 720  # -ln of the smallest normal double


def test_equal_scores_count_half_in_the_area_under_the_curve() -> None:
    positive = np.array([0.5, 0.5, 0.9, 0.1])  # of the two of class 1, one ties with one and beats one, the other loses
    predictions = Predictions(np.array([0, 1, 0, 1]), np.stack([1 - positive, positive], axis=1), ("a", "b"))
    assert classification.roc_auc(predictions) == 0.5 / 4


def test_the_worst_errors_are_the_most_confident_wrong_answers() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    predictions = Predictions(np.array([0, 0, 0, 0]), scores, ("a", "b"))
    assert classification.worst_errors(predictions, 2).tolist() == [1, 2]
    assert classification.worst_errors(predictions, 9).tolist() == [1, 2, 3]


def test_the_area_under_the_curve_with_ties_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    score_N = np.concatenate([rng.integers(0, 20, 100), rng.integers(5, 25, 60)])
    positive_N = np.arange(160) >= 100
    assert classification.area_under_roc(score_N, positive_N) == pytest.approx(roc_auc_score(positive_N, score_N))
