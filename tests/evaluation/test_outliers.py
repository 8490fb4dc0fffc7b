"""Outliers: the distance against scipy's, and samples of no class."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from pipeline.evaluation import outliers

CENTRES = np.array([[10.0, 0, 0], [0, 10, 0], [0, 0, 10]])


def features(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth_N = rng.integers(0, 3, count)
    return CENTRES[truth_N] + rng.normal(0, (0.5, 1, 2), (count, 3)), truth_N


def fitted() -> outliers.OutlierDetector:
    found = outliers.fit(*features(4000, 0))
    assert found is not None
    return found


def test_the_distance_is_scipys_to_the_nearest_class() -> None:
    detector, (others_NF, _) = fitted(), features(20, 1)
    expected = [
        min(mahalanobis(each, mean, detector.precision_FF) for mean in detector.means_CF) ** 2 for each in others_NF
    ]
    np.testing.assert_allclose(detector.distance(others_NF), expected)
    np.testing.assert_allclose(np.linalg.inv(detector.precision_FF), np.diag([0.25, 1, 4]), atol=0.3)


def test_one_in_a_hundred_known_samples_and_every_foreign_one_is_an_outlier() -> None:
    detector = fitted()
    assert detector.is_outlier(features(4000, 2)[0]).mean() == pytest.approx(0.01, abs=0.006)
    foreign_MF = np.array([[10.0, 10, 10], [0, 0, 0], [40, 0, 0]])
    assert detector.is_outlier(foreign_MF).all()


def test_outliers_are_those_whose_distance_is_over_the_threshold() -> None:
    detector, (samples_NF, _) = fitted(), features(4000, 2)
    far_NF = samples_NF + 1e3  # where numbers could cancel
    for each_NF in (samples_NF, far_NF):
        np.testing.assert_array_equal(detector.is_outlier(each_NF), detector.distance(each_NF) > detector.threshold)


def test_too_few_samples_or_too_many_features_give_no_detector() -> None:
    assert outliers.fit(*features(50, 0)) is None
    assert outliers.fit(np.zeros((300, 2000)), np.zeros(300, int)) is None
