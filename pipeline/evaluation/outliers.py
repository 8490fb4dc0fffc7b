"""Inputs that are unlike the training data, by the Mahalanobis distance of a net's features to the nearest class.

The outputs do not tell: a net can be surer of noise or of an empty image than of any digit. Source: Lee, Lee, Lee, Shin
2018, arXiv:1807.03888.
"""

from dataclasses import dataclass

import numpy as np

# N samples, M other samples, C classes, F features
QUANTILE = 0.99  # of validation that counts as familiar
MAX_FEATURES = 1024  # of a net with more the covariance would be larger than its weights
MIN_SAMPLES = 200
SHRINKAGE = 1e-3  # share of the mean variance that is added to each feature's


@dataclass(frozen=True, slots=True)
class OutlierDetector:
    """The classes' mean features, the inverse of the covariance within classes, and the distance of an outlier."""

    means_CF: np.ndarray
    precision_FF: np.ndarray
    threshold: float

    def distance(self, features_NF: np.ndarray) -> np.ndarray:
        """(N,) squared Mahalanobis distance to the nearest class."""
        distances = []
        for mean_F in self.means_CF:
            offset_NF = features_NF - mean_F
            distances.append(np.einsum("nf,nf->n", offset_NF @ self.precision_FF, offset_NF))
        nearest_N: np.ndarray = np.min(distances, axis=0)
        return nearest_N

    def is_outlier(self, features_NF: np.ndarray) -> np.ndarray:
        """(N,) whether a sample is farther from all classes than 99 % of validation.

        (x - m)'P(x - m) is expanded to x'Px - 2m'Px + m'Pm, which takes one product with P instead of one a class.
        `distance` keeps the other form, since stored thresholds depend on its rounding.
        """
        centre_F = self.means_CF.mean(axis=0)  # as the origin, so that no large numbers cancel
        offset_NF, mean_CF = features_NF - centre_F, self.means_CF - centre_F
        projected_NF, projected_CF = offset_NF @ self.precision_FF, mean_CF @ self.precision_FF
        own_N = np.einsum("nf,nf->n", offset_NF, projected_NF)
        to_class_NC = np.einsum("cf,cf->c", mean_CF, projected_CF) - 2 * offset_NF @ projected_CF.T
        outlier_N: np.ndarray = own_N + to_class_NC.min(axis=1) > self.threshold
        return outlier_N


def fit(features_NF: np.ndarray, truth_N: np.ndarray) -> OutlierDetector | None:
    """Fit means and covariance on every other validation sample, and the threshold on the rest.

    None if there are too few samples or too many features.
    """
    samples, features = features_NF.shape
    if samples < MIN_SAMPLES or features > MAX_FEATURES:
        return None
    fitted_NF, label_N = features_NF[::2].astype(np.float64), truth_N[::2]
    classes = np.unique(label_N)
    means_CF = np.stack([fitted_NF[label_N == label].mean(axis=0) for label in classes])
    residual_NF = fitted_NF - means_CF[np.searchsorted(classes, label_N)]
    covariance_FF = residual_NF.T @ residual_NF / len(residual_NF)
    ridge = SHRINKAGE * max(float(np.trace(covariance_FF)) / features, 1e-12)
    precision_FF = np.linalg.inv(covariance_FF + ridge * np.eye(features))
    unlimited = OutlierDetector(means_CF, precision_FF, np.inf)
    distance_N = unlimited.distance(features_NF[1::2].astype(np.float64))
    return OutlierDetector(means_CF, precision_FF, float(np.quantile(distance_N, QUANTILE)))
