"""The Playground's data sets, split and shuffled once, and the features that the network takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.app.play.network import Array
from pipeline.app.play.settings import REGRESSION, Settings
from pipeline.data.toy2d.generators import FEATURES, PROBLEMS, REGRESSION_PROBLEMS

CLASSIFICATION_POINTS, REGRESSION_POINTS = 500, 1200
GRID, REACH = 100, 6.0  # the picture has GRID x GRID pixels and spans -REACH to REACH


@dataclass(frozen=True, slots=True)
class Points:
    """(N, 2) points and (N,) targets in [-1, 1]; the first `train` points are for training."""

    xy_N2: Array
    target_N: Array
    train: int


def make_points(settings: Settings) -> Points:
    """The points of a problem, in the fixed order in which training visits them."""
    rng = np.random.default_rng([settings.seed, 0])
    if settings.problem == "own":
        table = np.array(settings.points)
        xy, target = table[:, :2], table[:, 2]
    elif settings.problem in REGRESSION:
        xy, target = REGRESSION_PROBLEMS[settings.problem](rng, REGRESSION_POINTS, settings.noise / 100)
    else:
        xy, label = PROBLEMS[settings.problem](rng, CLASSIFICATION_POINTS, settings.noise / 100)
        target = np.where(label, 1.0, -1.0)
    order = rng.permutation(len(xy))
    return Points(xy[order], target[order].astype(float), max(1, len(xy) * settings.ratio // 100))


def features(xy_N2: Array, names: Sequence[str]) -> Array:
    """(F + 1, N): the chosen features of the points, and a last row of ones for the biases."""
    x, y = xy_N2.T
    return np.stack([*(FEATURES[name](x, y) for name in names), np.ones_like(x)])


def grid() -> Array:
    """(GRID², 2): the centres of the picture's pixels, row by row from the top."""
    centres = (np.arange(GRID) + 0.5) / GRID * 2 * REACH - REACH
    x, y = np.meshgrid(centres, -centres)
    return np.stack([x.ravel(), y.ravel()], axis=1)
