"""How good drawn images are, from what a judge (a classifier trained on real ones) sees in them: arrays to numbers.

No single number tells: accuracy and coverage are perfect for ten images learned by heart, one a class. The Fréchet
distance is that of Heusel et al. 2017, arXiv:1706.08500, in our judge's features instead of Inception's, so it compares
with nobody else's.
"""

from collections.abc import Callable

import numpy as np

from pipeline.types import JudgedImages

# N, M samples, F features, C classes
NEIGHBOURS = 3
MANIFOLD_SAMPLE = 2500  # precision and recall compare every pair
NEAREST_SAMPLE = 1000
BLOCK = 500  # rows of a distance matrix in memory at a time


def measure(drawn: JudgedImages, real: JudgedImages, train: JudgedImages) -> dict[str, float]:
    """GeneratedImages images against real ones of a split that neither the generator nor the judge learned from.

    `fid_floor` is the distance of as many images of `train`: what a generator as good as the data would reach.

    Returns: fid, fid_floor, coverage, variance_ratio, precision, recall, nearest_ratio, and conditional_accuracy if
    classes were asked for.
    """
    found = drawn.scores.argmax(axis=1)
    variance, real_variance = (within_class_variance(images.features, _classes(images)) for images in (drawn, real))
    precision, recall = precision_recall(
        _sample(drawn.features, MANIFOLD_SAMPLE), _sample(real.features, MANIFOLD_SAMPLE)
    )
    measures = {
        "fid": frechet_distance(drawn.features, real.features),
        "fid_floor": frechet_distance(_sample(train.features, len(drawn.features)), real.features),
        "coverage": class_coverage(found, drawn.scores.shape[1]),
        "variance_ratio": variance / real_variance,
        "precision": precision,
        "recall": recall,
        "nearest_ratio": nearest_ratio(
            _sample(drawn.images, NEAREST_SAMPLE), _sample(real.images, NEAREST_SAMPLE), train.images
        ),
    }
    if drawn.labels is not None:
        measures["conditional_accuracy"] = float((found == drawn.labels).mean())
    return measures


def frechet_distance(a_NF: np.ndarray, b_MF: np.ndarray) -> float:
    """Squared Fréchet distance of two samples' normal distributions: |m - n|² + tr(A + B - 2 (A B)^½).

    The trace of (A B)^½ is that of the symmetric (A^½ B A^½)^½: the sum of the roots of its eigenvalues.
    """
    a_FF, b_FF = np.cov(a_NF, rowvar=False, dtype=np.float64), np.cov(b_MF, rowvar=False, dtype=np.float64)
    values, vectors = np.linalg.eigh(a_FF)
    root_FF = vectors * np.sqrt(values.clip(0)) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root_FF @ b_FF @ root_FF).clip(0)).sum()
    shift = a_NF.mean(axis=0, dtype=np.float64) - b_MF.mean(axis=0, dtype=np.float64)
    return float(shift @ shift + np.trace(a_FF) + np.trace(b_FF) - 2 * overlap)


def class_coverage(found_N: np.ndarray, classes: int) -> float:
    """Entropy of the classes found as a share of the most it can be: 1 if all are as frequent, 0 if there is one."""
    shares = np.bincount(found_N, minlength=classes) / len(found_N)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() / np.log(classes)) + 0.0  # never -0


def within_class_variance(features_NF: np.ndarray, labels_N: np.ndarray) -> float:
    """The features' summed variance within a class, mean over the classes that have samples."""
    return float(np.mean([features_NF[labels_N == label].var(axis=0).sum() for label in np.unique(labels_N)]))


def precision_recall(drawn_NF: np.ndarray, real_MF: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Shares of drawn samples among the real ones, and of real among the drawn (Kynkäänniemi et al. 2019,
    arXiv:1904.06991).

    A sample is among others if it is no further from one of them than that one's `neighbours`-th nearest is.
    """
    return _share_among(drawn_NF, real_MF, neighbours), _share_among(real_MF, drawn_NF, neighbours)


def nearest_ratio(drawn: np.ndarray, real: np.ndarray, train: np.ndarray) -> float:
    """Median distance in pixels from a drawn image to its nearest in train, over that from an unseen real one to its.

    Far below 1, the generator repeats its train images.
    """
    drawn, real, train = (images.reshape(len(images), -1) for images in (drawn, real, train))
    return float(np.median(_rowwise(np.min, drawn, train)) / np.median(_rowwise(np.min, real, train)))


def _classes(images: JudgedImages) -> np.ndarray:
    """The labels; where there are none, what the judge takes the images for."""
    return images.scores.argmax(axis=1) if images.labels is None else images.labels


def _share_among(points_NF: np.ndarray, others_MF: np.ndarray, neighbours: int) -> float:
    radii_M = _rowwise(lambda row, axis: np.partition(row, neighbours, axis)[:, neighbours], others_MF, others_MF)
    return float(_rowwise(lambda row, axis: (row <= radii_M).any(axis), points_NF, others_MF).mean())


def _rowwise(reduce: Callable[..., np.ndarray], points_NF: np.ndarray, others_MF: np.ndarray) -> np.ndarray:
    """`reduce` over axis 1 of the (N, M) distances, never all of them in memory."""
    squares_M = np.square(others_MF).sum(axis=1)
    parts = []
    for block in np.array_split(points_NF, -(-len(points_NF) // BLOCK)):
        squares = np.square(block).sum(axis=1)[:, np.newaxis] + squares_M - 2 * block @ others_MF.T
        parts.append(reduce(np.sqrt(squares.clip(0)), axis=1))
    return np.concatenate(parts)


def _sample(array: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` rows by a fixed draw: every k-th row of a list would miss classes that come round in turn."""
    chosen: np.ndarray = array[np.random.default_rng(0).permutation(len(array))[:count]]
    return chosen
