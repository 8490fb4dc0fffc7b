"""The sets of TensorFlow's playground and its features, as functions on arrays: no torch is needed to draw them.

Source: Smilkov et al. 2017, arXiv:1708.03788.
"""

import math
from collections.abc import Callable

import numpy as np


def _around(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    radius, angle = rng.uniform(low, high, n), rng.uniform(0, 2 * math.pi, n)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def circle(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A disc inside a ring; noise moves the point by which a label is decided."""
    points = np.concatenate([_around(rng, n // 2, 0, 2.5), _around(rng, n // 2, 3.5, 5)])
    moved = points + rng.uniform(-5, 5, points.shape) * noise
    return points, np.hypot(*moved.T) < 2.5


def xor(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Four quadrants, each pushed .3 away from the axes."""
    points = rng.uniform(-5, 5, (n, 2))
    points += np.where(points > 0, 0.3, -0.3)
    moved = points + rng.uniform(-5, 5, points.shape) * noise
    return points, moved[:, 0] * moved[:, 1] >= 0


def gauss(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of variance .5 + 7 noise."""
    labels = np.arange(n // 2 * 2) < n // 2
    centres = np.where(labels, 2.0, -2.0)[:, None]
    return centres + rng.normal(0, math.sqrt(0.5 + 7 * noise), (len(labels), 2)), labels


def spiral(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two arms of one turn and three quarters."""
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
    """A value that rises from corner to corner; noise moves the point by which it is decided."""
    points = rng.uniform(-6, 6, (n, 2))
    moved = points + rng.uniform(-6, 6, points.shape) * noise
    return points, moved.sum(axis=1) / 10


def multi_gauss(rng: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Six cones, by turns up and down; each place has the value of the one it is nearest to, 0 outside all."""
    points = rng.uniform(-6, 6, (n, 2))
    moved = points + rng.uniform(-6, 6, points.shape) * noise
    centres = np.array([[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]])
    heights = np.maximum(0, 1 - np.linalg.norm(moved[:, None] - centres, axis=2) / 2)
    highest = heights.argmax(axis=1)
    return points, heights.max(axis=1) * np.array([1, -1, 1, -1, 1, -1])[highest]


REGRESSION_PROBLEMS = {"plane": plane, "multi-gauss": multi_gauss}  # a value to be met instead of a class


FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x, y: x,
    "x2": lambda x, y: y,
    "x1²": lambda x, y: x * x,
    "x2²": lambda x, y: y * y,
    "x1x2": lambda x, y: x * y,
    "sin x1": lambda x, y: np.sin(x),
    "sin x2": lambda x, y: np.sin(y),
}
