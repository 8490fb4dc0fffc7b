"""What all data modules share: whole batches in an order that seed and epoch alone decide, shared between workers.

The global batches of an epoch are a pure function of (seed, epoch), so they depend neither on the number of workers nor
on whether the epoch was begun anew or gone on with.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.errors import ConfigError
from pipeline.types import DataSet, Split

# N samples of a split, B batch
Arrays = tuple[Tensor, Tensor]  # inputs_N…, targets_N…
EVAL_BATCH = 1000
SPLIT_SEED = 0  # validation is the same slice of train whatever the run's seed: scores of seeds stay comparable


class Batches:
    """One worker's share of every global batch of an epoch; whole batches only.

    Worker r of W takes samples r, r + W, … of each batch, so every worker count sees the same global batches. A set
    smaller than a batch is one batch. An epoch that was left can be gone on with (`state_dict`).
    """

    def __init__(
        self,
        arrays: tuple[Any, Tensor],
        batch_size: int,
        *,
        seed: int,
        epoch: Callable[[], int],
        share: tuple[int, int] = (0, 1),
    ):
        self.inputs, self.targets = arrays
        self.batch_size = min(batch_size, len(self.targets))
        self.seed, self.epoch = seed, epoch
        self.rank, self.workers = share
        self.taken = self.skipped = 0

    def draw(self, generator: torch.Generator) -> Tensor:
        """The epoch's global batches as (batch, B) indices."""
        order = torch.randperm(len(self.targets), generator=generator)
        return order[: len(self) * self.batch_size].view(-1, self.batch_size)

    def take(self, batch_B: Tensor, mine: slice) -> tuple[Tensor, ...]:
        """This worker's samples of a global batch."""
        chosen = batch_B[mine]
        # Not `inputs[chosen]`, which copies number by number where this copies row by row: a fifth of the time.
        return self.inputs.index_select(0, chosen), self.targets.index_select(0, chosen)

    def __len__(self) -> int:
        return len(self.targets) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        state = np.random.SeedSequence((self.seed, self.epoch())).generate_state(1, np.uint64)[0]
        batches = self.draw(torch.Generator().manual_seed(int(state)))
        self.taken, self.skipped = self.skipped, 0
        for place in range(self.taken, len(batches)):
            batch = self.take(batches[place], slice(self.rank, None, self.workers))
            self.taken += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many batches of the epoch were taken; the same on every worker."""
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.skipped = state["taken"]


class InOrder:
    """One worker's share of a split for evaluation: every sample once, in the stored order."""

    def __init__(self, arrays: Arrays, share: tuple[int, int]):
        rank, workers = share
        self.inputs, self.targets = (array[rank::workers] for array in arrays)

    def __len__(self) -> int:
        return math.ceil(len(self.targets) / EVAL_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.targets), EVAL_BATCH):
            yield self.inputs[start : start + EVAL_BATCH], self.targets[start : start + EVAL_BATCH]


class BatchedData(LightningDataModule):
    """A data set in three splits, as batches for any number of workers.

    A data set brings `setup` and `digest`; its batches are `Batches` unless it says otherwise (`shuffled`). What only
    some data sets have (`pictures`, `points`, `raw_texts` …) is None for the others.

    Raises: ConfigError if a batch can't be shared equally.
    """

    labels: tuple[str, ...] = ()  # names of the classes, if there are classes
    centred_digits = False  # whether a picture is to be centred as MNIST's digits are

    def __init__(self, name: str, batch_size: int, seed: int):
        super().__init__()
        self.data_name, self.batch_size, self.seed = name, batch_size, seed
        self.splits: dict[Split, Any] = {}

    def setup(self, stage: str | None = None) -> None:
        """Fill `splits`, once."""
        raise NotImplementedError

    def digest(self) -> str:
        """SHA-256 that stands for all of the data."""
        raise NotImplementedError

    def describe(self) -> DataSet:
        self.setup()
        rows: dict[str, int] = {split: len(targets) for split, (_, targets) in self.splits.items()}
        return DataSet(self.data_name, self.digest(), rows)

    def shuffled(self, **order: Any) -> Batches:
        """The train split in the order of `seed` and `epoch`."""
        return Batches(self.splits["train"], self.batch_size, **order)

    def train_dataloader(self) -> Batches:
        trainer, (_, workers) = self.trainer, self.share
        if self.batch_size % workers:
            raise ConfigError(f"data.batch_size: {self.batch_size} can't be shared equally by {workers} workers.")
        epoch = (lambda: trainer.current_epoch) if trainer else (lambda: 0)
        return self.shuffled(seed=self.seed, epoch=epoch, share=self.share)

    def val_dataloader(self) -> Any:
        return InOrder(self.splits["val"], self.share)

    def batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole split in its stored order, as the net takes it; for evaluation in one process."""
        self.setup()
        for batch in InOrder(self.splits[split], (0, 1)):
            yield self.on_after_batch_transfer(batch, 0)

    def remarks(self) -> Iterable[str]:
        """Lines for a user to read before the data is learned from."""
        return ()

    def seen_in_train(self, split: Split) -> np.ndarray | None:
        """(N,) bool: which samples of a split occur in train, too; None if that is not known."""
        return None

    def pictures(self, split: Split) -> np.ndarray | None:
        """(N, H, W) or (N, H, W, 3) in [0, 1]: the split as a person would look at it; None unless it is of images."""
        return None

    def inputs(self, split: Split, places: Sequence[int]) -> Tensor | None:
        """(N, C, H, W) in [0, 1]: some photographs of a split, by their places in it; None unless it is of those."""
        return None

    def points(self, split: Split) -> Arrays | None:
        """(N, 2) points of the plane and their labels (N,), to be drawn; None unless the data is of points."""
        return None

    def net_inputs(self, points_N2: Tensor) -> Tensor:
        """(N, F): the inputs that a net trained on this data has at points of the plane; the points themselves here."""
        return points_N2

    def raw_texts(self, split: Split) -> Sequence[str] | None:
        """The texts of a split as they were written; None unless the data is of texts."""
        return None

    def picture_reader(self) -> Callable[[Path], Tensor] | None:
        """A function from an image file to (1, C, H, W) in [0, 1], if this data set reads files in a way of its own."""
        return None

    def input_vocabulary(self) -> Vocabulary | None:
        """The vocabulary by which texts are numbered; None unless the data is of texts."""
        return None

    def pseudo_label(self, predictions_MK: Tensor) -> None:
        """Raises: ConfigError unless the data has samples without a label, which a teacher can label."""
        raise ConfigError(f"requires.teacher: {self.data_name} has no samples without a label. Leave the teacher out.")

    @property
    def share(self) -> tuple[int, int]:
        """Which of how many workers this is."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
