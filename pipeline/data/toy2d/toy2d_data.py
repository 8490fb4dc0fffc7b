"""Data modules of two-dimensional problems: truth tables and the data sets of `generators.py`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.data.batches import Arrays, BatchedData
from pipeline.data.toy2d.generators import FEATURES, PROBLEMS
from pipeline.errors import ConfigError
from pipeline.types import Split

# Outputs for (0, 0), (0, 1), (1, 0), (1, 1). Other functions are named by their four outputs: "1101".
GATES = {"and": "0001", "or": "0111", "nand": "1110", "nor": "1000", "xor": "0110", "xnor": "1001"}
TABLE = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def gate(name: str) -> Arrays:
    """Truth table of a Boolean function: inputs (4, 2) and outputs (4,).

    Raises: ConfigError for a name that is neither a gate nor four outputs of 0 and 1.
    """
    outputs = GATES.get(name, name)
    if len(outputs) != 4 or set(outputs) - {"0", "1"}:
        raise ConfigError(
            f"data.gate: expected {', '.join(GATES)} or four outputs such as 0110, got {name!r}. "
            "Set it with `data.gate=xor`."
        )
    return TABLE, torch.tensor([int(output) for output in outputs])


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
    """Truth table of a Boolean function of two inputs; all three splits are its four rows.

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
    """A data set of TensorFlow's playground: half train, a quarter validation, a quarter test.

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
            raise ConfigError(f"data.features: unknown feature {unknown[0]!r}. Choose from {', '.join(FEATURES)}.")
        self.features = features
        if problem not in PROBLEMS:
            raise ConfigError(f"data.problem: unknown problem {problem!r}. Choose one of {', '.join(PROBLEMS)}.")
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
