"""Calibration against scikit-learn, torchmetrics and scipy, by hand, and on an overconfident model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from pipeline.config import load_config, resolve
from pipeline.errors import CheckpointError
from pipeline.evaluation import calibration, conformal
from pipeline.types import Predictions
from tests.evaluation.test_classification import some


def sampled(logits_NC: np.ndarray, seed: int = 0) -> np.ndarray:
    """Classes drawn with the probabilities that the logits give."""
    gumbel_NC = np.random.default_rng(seed).gumbel(size=logits_NC.shape)
    drawn_N: np.ndarray = (logits_NC + gumbel_NC).argmax(axis=1)
    return drawn_N


def overconfident(factor: float, n: int = 4000, seed: int = 0) -> Predictions:
    """Predictions whose logits are `factor` times the logits that the truth was drawn with."""
    logits_NC = np.random.default_rng(seed).normal(0, 1.5, (n, 3))
    return Predictions(sampled(logits_NC, seed + 1), softmax(factor * logits_NC, axis=1), ("a", "b", "c"))


@pytest.mark.parametrize(("seed", "classes"), [(0, 2), (1, 3), (2, 10)])
def test_ece_equals_torchmetrics_and_the_brier_score_scikit_learns(seed: int, classes: int) -> None:
    predictions = some(seed, 500, classes)
    expected = multiclass_calibration_error(
        torch.from_numpy(predictions.y_score), torch.from_numpy(predictions.y_true), classes, n_bins=15, norm="l1"
    )
    assert calibration.expected_calibration_error(predictions) == pytest.approx(float(expected), abs=1e-6)
    brier = brier_score_loss(predictions.y_true, predictions.y_score, labels=range(classes), scale_by_half=False)
    assert calibration.brier_score(predictions) == pytest.approx(brier)


def test_the_calibration_error_and_the_brier_score_of_four_predictions_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [1.0, 0.0]])
    predictions = Predictions(np.array([0, 1, 0, 0]), scores, ("a", "b"))
    # (.867, .933] holds two, one right: |.9 - .5|; (.533, .6] one, right: .4; (.933, 1] one, right: 0
    assert [each.samples for each in calibration.reliability(predictions)] == [1, 2, 1]
    assert calibration.expected_calibration_error(predictions) == pytest.approx((2 * 0.4 + 0.4) / 4)
    assert calibration.brier_score(predictions) == pytest.approx((2 * 0.01 + 2 * 0.81 + 2 * 0.16 + 0) / 4)


def test_an_overconfident_model_is_found_and_its_temperature_undoes_it() -> None:
    validation, test = overconfident(3, seed=0), overconfident(3, seed=10)
    fitted = calibration.fit(validation)
    assert fitted.temperature == pytest.approx(3, rel=0.1)
    assert calibration.expected_calibration_error(test) > 0.15
    assert calibration.expected_calibration_error(fitted.predictions(test)) < 0.03


def test_the_temperature_is_that_of_the_least_loss() -> None:
    validation = overconfident(0.5)
    logits_NC = np.log(validation.y_score)

    def loss(temperature: float) -> float:
        return float(log_loss(validation.y_true, softmax(logits_NC / temperature, axis=1)))

    best = minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-8}).x
    assert calibration.best_temperature(validation) == pytest.approx(best, rel=1e-4)


def test_validation_without_an_error_makes_no_model_more_certain() -> None:
    scores = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert calibration.best_temperature(Predictions(np.array([0, 1]), scores, ("a", "b"))) == 1


def test_scaling_is_that_of_the_logits_and_keeps_the_order_of_the_classes() -> None:
    logits_NC = np.random.default_rng(0).normal(0, 5, (50, 4))
    scores_NC = softmax(logits_NC, axis=1)
    scaled_NC = calibration.tempered(scores_NC, 2.5)
    np.testing.assert_allclose(scaled_NC, np.exp(log_softmax(logits_NC / 2.5, axis=1)), rtol=1e-9)
    np.testing.assert_array_equal(scaled_NC.argsort(axis=1), scores_NC.argsort(axis=1))
    np.testing.assert_allclose(calibration.tempered(scores_NC[0], 2.5), scaled_NC[0])


def test_a_certain_prediction_stays_finite() -> None:
    np.testing.assert_allclose(calibration.tempered(np.array([1.0, 0.0]), 2).sum(), 1)


def test_a_calibration_is_stored_beside_the_weights_and_read_back(tmp_path: Path) -> None:
    fitted = calibration.fit(overconfident(2, n=50))
    (tmp_path / calibration.FILE).write_bytes(fitted.json())
    found = calibration.read(tmp_path)
    assert found is not None
    assert found.temperature == fitted.temperature
    np.testing.assert_allclose(found.true_probability_N, fitted.true_probability_N, rtol=1e-5)
    assert found.threshold(0.9) == pytest.approx(fitted.threshold(0.9), rel=1e-5)


def test_prediction_sets_of_a_net_with_one_prediction_for_all_inputs_hold_the_true_class(tmp_path: Path) -> None:
    score_NC = np.tile([0.50002006, 0.49997994], (200, 1))  # six digits round the second up
    truth_N = np.arange(200) % 2
    (tmp_path / calibration.FILE).write_bytes(calibration.fit(Predictions(truth_N, score_NC, ("a", "b"))).json())
    found = calibration.read(tmp_path)
    assert found is not None
    assert conformal.coverage_and_size(found.scores(score_NC), truth_N, found.threshold(0.99)) == (1, 2)


def test_a_model_without_a_calibration_has_none_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert calibration.read(tmp_path) is None
    (tmp_path / calibration.FILE).write_text(json.dumps({"temperature": "hot"}))
    with pytest.raises(CheckpointError, match=r"calibration\.json: not a calibration"):
        calibration.read(tmp_path)


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        ("mnist_cnn", True),
        ("imdb_tfidf", True),
        ("imdb_lstm_best", True),
        ("dogcat_transfer", True),
        ("perceptron_mnist", False),
        ("neuron", False),
        ("mnist_gan", False),
        ("piglatin_seq2seq", False),
        ("imdb_lm", False),
    ],
)
def test_threshold_units_and_models_without_classes_have_no_probabilities(experiment: str, expected: bool) -> None:
    assert calibration.has_probabilities(resolve(load_config(f"experiment={experiment}"))) is expected
