"""Metrics of generated images, in the features of a judge: a classifier trained on real images.

No single metric suffices: accuracy and coverage are perfect for ten memorised images, one for each class. The Fréchet
distance is that of Heusel et al. 2017, arXiv:1706.08500, in the judge's features instead of Inception's, so its values
are not comparable with published ones.
"""

from collections.abc import Callable

import numpy as np

from pipeline.types import JudgedImages

# N, M samples, F features, C classes
NEIGHBOURS = 3
MANIFOLD_SAMPLE = 2500  # images for precision and recall, which compare every pair
NEAREST_SAMPLE = 1000  # images for the nearest-neighbour ratio
BLOCK = 500  # rows of a distance matrix in memory at a time


def metrics(generated: JudgedImages, real: JudgedImages, train: JudgedImages) -> dict[str, float]:
    """Compare generated images with real ones of a split that neither the generator nor the judge was trained on.

    `fid_floor` is the Fréchet distance of as many images of `train`, which a perfect generator would reach.

    Returns: fid, fid_floor, coverage, variance_ratio, precision, recall, nearest_ratio, and for conditional generators
    conditional_accuracy.
    """
    classes_N = generated.scores.argmax(axis=1)
    variance, real_variance = (within_class_variance(images.features, _classes(images)) for images in (generated, real))
    precision, recall = precision_recall(
        _sample(generated.features, MANIFOLD_SAMPLE), _sample(real.features, MANIFOLD_SAMPLE)
    )
    measured = {
        "fid": frechet_distance(generated.features, real.features),
        "fid_floor": frechet_distance(_sample(train.features, len(generated.features)), real.features),
        "coverage": class_coverage(classes_N, generated.scores.shape[1]),
        "variance_ratio": variance / real_variance,
        "precision": precision,
        "recall": recall,
        "nearest_ratio": nearest_ratio(
            _sample(generated.images, NEAREST_SAMPLE), _sample(real.images, NEAREST_SAMPLE), train.images
        ),
    }
    if generated.labels is not None:
        measured["conditional_accuracy"] = float((classes_N == generated.labels).mean())
    return measured


def frechet_distance(a_NF: np.ndarray, b_MF: np.ndarray) -> float:
    """Squared Fréchet distance of the normal distributions fitted to two samples: |m - n|² + tr(A + B - 2 (A B)^½).

    The trace of (A B)^½ equals that of the symmetric (A^½ B A^½)^½, the sum of the square roots of its eigenvalues.
    """
    a_FF, b_FF = np.cov(a_NF, rowvar=False, dtype=np.float64), np.cov(b_MF, rowvar=False, dtype=np.float64)
    values, vectors = np.linalg.eigh(a_FF)
    root_FF = vectors * np.sqrt(values.clip(0)) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root_FF @ b_FF @ root_FF).clip(0)).sum()
    shift = a_NF.mean(axis=0, dtype=np.float64) - b_MF.mean(axis=0, dtype=np.float64)
    return float(shift @ shift + np.trace(a_FF) + np.trace(b_FF) - 2 * overlap)


def class_coverage(labels_N: np.ndarray, classes: int) -> float:
    """Normalised entropy of the class frequencies: 1 if all classes are equally frequent, 0 if only one occurs."""
    frequencies = np.bincount(labels_N, minlength=classes) / len(labels_N)
    frequencies = frequencies[frequencies > 0]
    return float(-(frequencies * np.log(frequencies)).sum() / np.log(classes)) + 0.0  # never -0


def within_class_variance(features_NF: np.ndarray, labels_N: np.ndarray) -> float:
    """The summed variance of the features within a class, averaged over the classes that have samples."""
    return float(np.mean([features_NF[labels_N == label].var(axis=0).sum() for label in np.unique(labels_N)]))


def precision_recall(
    generated_NF: np.ndarray, real_MF: np.ndarray, neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991).

    Precision is the fraction of generated samples on the manifold of the real ones, recall the reverse. A sample is on
    a manifold if its distance to one of the manifold's samples is at most the distance of that sample to its
    `neighbours`-th nearest neighbour.
    """
    return _fraction_on_manifold(generated_NF, real_MF, neighbours), _fraction_on_manifold(
        real_MF, generated_NF, neighbours
    )


def nearest_ratio(generated: np.ndarray, real: np.ndarray, train: np.ndarray) -> float:
    """Median pixel distance of generated images to their nearest train image, over that of unseen real images.

    A value far below 1 means that the generator memorised train images.
    """
    generated, real, train = (images.reshape(len(images), -1) for images in (generated, real, train))
    return float(np.median(_rowwise(np.min, generated, train)) / np.median(_rowwise(np.min, real, train)))


def _classes(images: JudgedImages) -> np.ndarray:
    """(N,) the labels; the classes that the judge predicts if there are none."""
    return images.scores.argmax(axis=1) if images.labels is None else images.labels


def _fraction_on_manifold(points_NF: np.ndarray, others_MF: np.ndarray, neighbours: int) -> float:
    radii_M = _rowwise(lambda row, axis: np.partition(row, neighbours, axis)[:, neighbours], others_MF, others_MF)
    return float(_rowwise(lambda row, axis: (row <= radii_M).any(axis), points_NF, others_MF).mean())


def _rowwise(reduce: Callable[..., np.ndarray], points_NF: np.ndarray, others_MF: np.ndarray) -> np.ndarray:
    """`reduce` over axis 1 of the (N, M) distance matrix, computed in blocks of rows to bound memory."""
    squares_M = np.square(others_MF).sum(axis=1)
    parts = []
    for block in np.array_split(points_NF, -(-len(points_NF) // BLOCK)):
        squares = np.square(block).sum(axis=1)[:, np.newaxis] + squares_M - 2 * block @ others_MF.T
        parts.append(reduce(np.sqrt(squares.clip(0)), axis=1))
    return np.concatenate(parts)


def _sample(array: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` rows, drawn with a fixed seed: every k-th row would miss classes that come in turn."""
    chosen: np.ndarray = array[np.random.default_rng(0).permutation(len(array))[:count]]
    return chosen
