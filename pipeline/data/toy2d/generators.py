"""Data sets and features of TensorFlow's playground, as functions on NumPy arrays.

Source: Smilkov et al. 2017, arXiv:1708.03788.
"""

import math
from collections.abc import Callable

import numpy as np


def _around(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    radius, angle = rng.uniform(low, high, n), rng.uniform(0, 2 * math.pi, n)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def circle(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Disc inside a ring; the label is that of the point displaced by noise."""
    points = np.concatenate([_around(rng, n // 2, 0, 2.5), _around(rng, n // 2, 3.5, 5)])
    displaced = points + rng.uniform(-5, 5, points.shape) * noise
    return points, np.hypot(*displaced.T) < 2.5


def xor(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Four quadrants with a margin of .3 along the axes."""
    points = rng.uniform(-5, 5, (n, 2))
    points += np.where(points > 0, 0.3, -0.3)
    displaced = points + rng.uniform(-5, 5, points.shape) * noise
    return points, displaced[:, 0] * displaced[:, 1] >= 0


def gauss(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussian clusters of variance .5 + 7 noise."""
    labels = np.arange(n // 2 * 2) < n // 2
    centres = np.where(labels, 2.0, -2.0)[:, None]
    return centres + rng.normal(0, math.sqrt(0.5 + 7 * noise), (len(labels), 2)), labels


def spiral(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two spiral arms of 1.75 turns."""
    along = np.arange(n // 2) / (n // 2)
    angles = np.concatenate([1.75 * 2 * math.pi * along, 1.75 * 2 * math.pi * along + math.pi])
    radius = 5 * np.concatenate([along, along])
    points = np.stack([radius * np.sin(angles), radius * np.cos(angles)], axis=1)
    return points + rng.uniform(-1, 1, points.shape) * noise, np.arange(len(points)) < n // 2


PROBLEMS: dict[str, Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]] = {
    "circle": circle,
    "xor": xor,
    "gauss": gauss,
    "spiral": spiral,
}


def plane(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Values that rise linearly along the diagonal, at the points displaced by noise."""
    points = rng.uniform(-6, 6, (n, 2))
    displaced = points + rng.uniform(-6, 6, points.shape) * noise
    return points, displaced.sum(axis=1) / 10


def multi_gauss(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Six cones of alternating sign; each point has the value of the nearest one, 0 outside all."""
    points = rng.uniform(-6, 6, (n, 2))
    displaced = points + rng.uniform(-6, 6, points.shape) * noise
    centres = np.array([[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]])
    heights = np.maximum(0, 1 - np.linalg.norm(displaced[:, None] - centres, axis=2) / 2)
    highest = heights.argmax(axis=1)
    return points, heights.max(axis=1) * np.array([1, -1, 1, -1, 1, -1])[highest]


REGRESSION_PROBLEMS = {"plane": plane, "multi-gauss": multi_gauss}  # targets are values instead of classes


FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x, y: x,
    "x2": lambda x, y: y,
    "x1²": lambda x, y: x * x,
    "x2²": lambda x, y: y * y,
    "x1x2": lambda x, y: x * y,
    "sin x1": lambda x, y: np.sin(x),
    "sin x2": lambda x, y: np.sin(y),
}
