"""Measures of drawn images, held against closed forms and sets whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation import generation
from pipeline.types import JudgedImages

RANDOM = np.random.default_rng(0)


def with_moments(mean: np.ndarray, covariance: np.ndarray, count: int = 200) -> np.ndarray:
    """A sample that has exactly this mean and covariance."""
    raw = RANDOM.normal(size=(count, len(mean)))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return np.asarray(white @ np.linalg.cholesky(covariance).T + mean)


def test_frechet_distance_of_independent_features_is_the_closed_form() -> None:
    a = with_moments(np.array([0.0, 1.0]), np.diag([4.0, 9.0]))
    b = with_moments(np.array([3.0, 5.0]), np.diag([1.0, 16.0]))
    # 3² + 4², and (2 - 1)² + (3 - 4)² of the standard deviations
    assert generation.frechet_distance(a, b) == pytest.approx(25 + 2)


def test_frechet_distance_of_correlated_features_is_the_closed_form_for_two_dimensions() -> None:
    covariances = np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    a, b = (with_moments(np.zeros(2), covariance) for covariance in covariances)
    # The eigenvalues p, q of a 2x2 product AB have √p + √q = √(tr + 2 √det).
    product = covariances[0] @ covariances[1]
    overlap = math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(product)))
    expected = sum(np.trace(covariance) for covariance in covariances) - 2 * overlap
    assert generation.frechet_distance(a, b) == pytest.approx(expected)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_frechet_distance_is_symmetric_zero_to_itself_and_blind_to_rotation(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(50, size + 1)), random.normal(size=(40, size + 1)) @ random.normal(size=(size + 1,) * 2)
    rotation = np.linalg.qr(random.normal(size=(size + 1, size + 1)))[0]
    distance = generation.frechet_distance(a, b)
    assert generation.frechet_distance(b, a) == pytest.approx(distance, rel=1e-6, abs=1e-8)
    assert generation.frechet_distance(a @ rotation, b @ rotation) == pytest.approx(distance, rel=1e-6, abs=1e-8)
    assert generation.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_bears_features_that_never_fire() -> None:
    a = np.pad(with_moments(np.zeros(2), np.eye(2)), ((0, 0), (0, 3)))
    assert generation.frechet_distance(a, a + np.array([0, 0, 0, 0, 2.0])) == pytest.approx(4)


def test_coverage_is_1_for_equal_shares_0_for_one_class_and_a_half_for_two_of_four() -> None:
    assert generation.class_coverage(np.arange(40) % 4, 4) == pytest.approx(1)
    assert generation.class_coverage(np.zeros(40, int), 4) == 0
    assert generation.class_coverage(np.arange(40) % 2, 4) == pytest.approx(0.5)


def test_variance_within_classes_ignores_how_far_apart_they_are() -> None:
    features = np.array([[0.0, 0], [2, 0], [100, 4], [100, 8]])
    assert generation.within_class_variance(features, np.array([0, 0, 1, 1])) == pytest.approx((1 + 4) / 2)


def test_precision_and_recall_of_one_set_with_itself_are_1_and_of_sets_far_apart_0() -> None:
    points = RANDOM.normal(size=(100, 3))
    assert generation.precision_recall(points, points) == (1, 1)
    assert generation.precision_recall(points, points + 1000) == (0, 0)


def test_precision_falls_with_wrong_samples_and_recall_with_missing_ones() -> None:
    left, right, wrong = (RANDOM.normal(size=(200, 2)) + shift for shift in (-100, 100, 5000))
    real = np.concatenate([left, right])
    precision, recall = generation.precision_recall(left, real)
    assert precision == 1
    assert recall == pytest.approx(0.5, abs=0.05)
    precision, recall = generation.precision_recall(np.concatenate([left, right, wrong]), real)
    assert precision == pytest.approx(2 / 3, abs=0.01)
    assert recall == 1


def test_a_sample_is_among_others_up_to_their_kth_neighbours_distance() -> None:
    others = np.array([[0.0], [1], [3], [7]])
    # The 1st neighbours' distances are 1, 1, 2 and 4: the reach is -1..2, 1..5 and 3..11.
    points = np.array([[-1.1], [-0.9], [1.9], [5.1], [2.5], [10.9], [11.1]])
    precision, _ = generation.precision_recall(points, others, neighbours=1)
    assert precision == pytest.approx(5 / 7)


def test_the_nearest_ratio_is_0_for_copies_and_1_for_fresh_draws() -> None:
    train, real, fresh = (RANDOM.random((count, 4, 5)) for count in (2000, 1200, 1200))
    assert generation.nearest_ratio(train[:1200], real, train) == pytest.approx(0, abs=1e-6)
    assert generation.nearest_ratio(fresh, real, train) == pytest.approx(1, abs=0.03)


def judged(count: int, labels: np.ndarray | None, spread: float = 1.0) -> JudgedImages:
    """Features around the place of the class, in a judge's eyes without doubt."""
    classes = np.arange(count) % 5
    features = 10 * np.eye(5)[classes] + spread * RANDOM.normal(size=(count, 5))
    return JudgedImages(features.reshape(count, 1, 5), labels, features, np.eye(5)[classes])


def test_real_images_measure_as_their_own_floor_and_a_collapsed_generator_is_found_out_by_variance_and_recall() -> None:
    train, real = (judged(count, np.arange(count) % 5) for count in (2000, 1000))
    good = generation.metrics(judged(1000, np.arange(1000) % 5), real, train)
    assert good["fid"] == pytest.approx(good["fid_floor"], abs=0.3)
    for measure in ("variance_ratio", "precision", "recall", "nearest_ratio", "conditional_accuracy", "coverage"):
        assert good[measure] == pytest.approx(1, abs=0.15)
    collapsed = generation.metrics(judged(1000, np.arange(1000) % 5, spread=0.1), real, train)
    assert collapsed["conditional_accuracy"] == pytest.approx(collapsed["coverage"]) == 1
    assert collapsed["variance_ratio"] == pytest.approx(0.01, abs=0.005)
    assert collapsed["recall"] < 0.1


def test_two_of_five_classes_missing_cost_two_fifths_of_recall_even_where_labels_alternate() -> None:
    train, real = (judged(10_000, np.arange(10_000) % 5) for _ in range(2))
    every = judged(10_000, np.arange(10_000) % 5)
    kept = every.scores.argmax(1) % 2 == 0  # three of five
    some = JudgedImages(every.images[kept], np.arange(6000) % 2, every.features[kept], every.scores[kept])
    share = generation.metrics(some, real, train)["recall"] / generation.metrics(every, real, train)["recall"]
    assert share == pytest.approx(0.6, abs=0.03)


def test_classes_that_were_not_asked_for_have_no_accuracy() -> None:
    real, train = (judged(500, np.arange(500) % 5) for _ in range(2))
    measures = generation.metrics(judged(500, None), real, train)
    assert "conditional_accuracy" not in measures
    assert measures["variance_ratio"] == pytest.approx(1, abs=0.1)


def test_asking_for_the_wrong_class_costs_accuracy() -> None:
    real, train = (judged(500, np.arange(500) % 5) for _ in range(2))
    assert generation.metrics(judged(500, np.zeros(500, int)), real, train)["conditional_accuracy"] == 0.2
