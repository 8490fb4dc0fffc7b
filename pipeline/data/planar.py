"""Points in the plane: truth tables of two inputs, and the classification sets of TensorFlow's playground.

Source: Smilkov et al. 2017, arXiv:1708.03788 (the playground).
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.data.batches import Arrays, BatchedData
from pipeline.errors import ConfigError
from pipeline.types import Split

# What a gate answers to (0, 0), (0, 1), (1, 0), (1, 1). Any other of the 16 is named by its four answers: "1101".
GATES = {"and": "0001", "or": "0111", "nand": "1110", "nor": "1000", "xor": "0110", "xnor": "1001"}
TABLE = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def gate(name: str) -> Arrays:
    """The four inputs of a Boolean function of two, and its answers.

    Raises: ConfigError for a name that is neither a gate nor four answers of 0 and 1.
    """
    answers = GATES.get(name, name)
    if len(answers) != 4 or set(answers) - {"0", "1"}:
        raise ConfigError(
            f"data.gate: expected {', '.join(GATES)} or four answers such as 0110, got {name!r}. "
            "Set it with `data.gate=xor`."
        )
    return TABLE, torch.tensor([int(answer) for answer in answers])


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


SURFACES = {"plane": plane, "multi-gauss": multi_gauss}  # a value to be met instead of a class


FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x, y: x,
    "x2": lambda x, y: y,
    "x1²": lambda x, y: x * x,
    "x2²": lambda x, y: y * y,
    "x1x2": lambda x, y: x * y,
    "sin x1": lambda x, y: np.sin(x),
    "sin x2": lambda x, y: np.sin(y),
}


class PlanarData(BatchedData):
    """Batches of (points_B2, labels_B) of what `arrays` gives."""

    labels = ("0", "1")

    def __init__(
        self, name: str, classes: int, in_shape: Sequence[int], batch_size: int, *, folder: Path, seed: int = 0
    ):
        super().__init__(name, batch_size, seed)
        self.classes, self.in_shape = classes, tuple(in_shape)

    def arrays(self) -> dict[Split, Arrays]:
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        if not self.splits:
            self.splits = self.arrays()

    def digest(self) -> str:
        content = b"".join(t.numpy().tobytes() for split in self.splits.values() for t in split)
        return hashlib.sha256(content).hexdigest()

    def points(self, split: Split) -> Arrays:
        """(N, 2) points and their labels, to be drawn."""
        inputs, labels = self.splits[split]
        return inputs, labels


class Gate(PlanarData):
    """A Boolean function of two inputs; its three splits are the same four rows, for there are no others.

    Raises: ConfigError for an unknown function.
    """

    def __init__(
        self,
        name: str,
        gate: str,
        classes: int,
        in_shape: Sequence[int],
        batch_size: int,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, classes, in_shape, batch_size, folder=folder, seed=seed)
        self.gate = gate

    def arrays(self) -> dict[Split, Arrays]:
        table = gate(self.gate)
        return {"train": table, "val": table, "test": table}


class Plane(PlanarData):
    """One of the playground's sets, half of it to learn from, the other half shared by validation and test.

    The net is shown the `features` of each point, functions of its coordinates.

    Raises: ConfigError for an unknown problem or feature.
    """

    def __init__(
        self,
        name: str,
        problem: str,
        points: int,
        noise: float,
        classes: int,
        in_shape: Sequence[int],
        batch_size: int,
        features: Sequence[str] = ("x1", "x2"),
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, classes, in_shape, batch_size, folder=folder, seed=seed)
        if unknown := [feature for feature in features if feature not in FEATURES]:
            raise ConfigError(f"data.features: no such feature {unknown[0]!r}. There are: {', '.join(FEATURES)}.")
        self.features = features
        if problem not in PROBLEMS:
            raise ConfigError(f"data.problem: no such problem {problem!r}. There are: {', '.join(PROBLEMS)}.")
        self.problem, self.count, self.noise = problem, points, noise

    def arrays(self) -> dict[Split, Arrays]:
        rng = np.random.default_rng(self.seed)
        points, labels = PROBLEMS[self.problem](rng, self.count, self.noise)
        order = rng.permutation(len(points))
        shown = np.stack([FEATURES[feature](*points.T) for feature in self.features], axis=1)
        x, y = torch.from_numpy(shown[order]).float(), torch.from_numpy(labels[order].astype(np.int64))
        half, three = len(x) // 2, len(x) * 3 // 4
        return {"train": (x[:half], y[:half]), "val": (x[half:three], y[half:three]), "test": (x[three:], y[three:])}
