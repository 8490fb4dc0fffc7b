"""Conformal prediction: the threshold by hand, and the coverage that the method guarantees."""

import numpy as np
import pytest

from pipeline.evaluation import conformal


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [(0.9, 0.1), (0.8, 0.2), (0.85, 0.1), (0.95, 0.0), (0.5, 0.5)],  # 9 samples: (1 - coverage) * 10 places
)
def test_the_threshold_is_the_probability_that_enough_true_classes_reach(coverage: float, expected: float) -> None:
    assert conformal.threshold(np.arange(1, 10) / 10, coverage) == pytest.approx(expected)


def test_a_set_has_every_class_above_the_threshold_and_always_the_most_probable_one() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]])
    assert conformal.prediction_sets(scores, 0.3).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
    assert conformal.prediction_sets(scores, 0.9).sum(axis=1).tolist() == [1, 1, 1]
    assert conformal.coverage_and_size(scores, np.array([1, 2, 2]), 0.3) == pytest.approx((2 / 3, 5 / 3))


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_hold_the_true_class_as_often_as_asked_even_of_a_poor_model(coverage: float) -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 5, 6000)
    evidence_NC = rng.normal(0, 1, (6000, 5))
    evidence_NC[np.arange(6000), truth_N] += 1
    scores_NC = np.exp(4 * evidence_NC)  # overconfident
    scores_NC /= scores_NC.sum(axis=1, keepdims=True)
    own_N = scores_NC[np.arange(6000), truth_N]
    least = conformal.threshold(np.sort(own_N[:3000]), coverage)
    measured, size = conformal.coverage_and_size(scores_NC[3000:], truth_N[3000:], least)
    assert measured == pytest.approx(coverage, abs=0.02)
    assert 1 < size < 5
