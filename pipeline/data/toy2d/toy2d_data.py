"""Points in the plane as data to train on: truth tables of two inputs, and the sets of `generators.py`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.data.batches import Arrays, BatchedData
from pipeline.data.toy2d.generators import FEATURES, PROBLEMS
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


class Toy2DData(BatchedData):
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


class Gate(Toy2DData):
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


class PlaygroundData(Toy2DData):
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
        x, y = self._features(points)[order], torch.from_numpy(labels[order].astype(np.int64))
        half, three = len(x) // 2, len(x) * 3 // 4
        bounds: dict[Split, slice] = {"train": slice(half), "val": slice(half, three), "test": slice(three, None)}
        coordinates = torch.from_numpy(points[order]).float()
        self.coordinates = {split: coordinates[rows] for split, rows in bounds.items()}
        return {split: (x[rows], y[rows]) for split, rows in bounds.items()}

    def points(self, split: Split) -> Arrays:
        return self.coordinates[split], self.splits[split][1]

    def net_inputs(self, points_N2: torch.Tensor) -> torch.Tensor:
        return self._features(points_N2.double().numpy())

    def _features(self, points_N2: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([FEATURES[name](*points_N2.T) for name in self.features], axis=1)).float()
