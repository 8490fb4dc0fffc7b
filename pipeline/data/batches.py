"""Batches that all data modules share: whole ones, in an order that seed and epoch alone decide, cut into shards.

The global batches of an epoch are a pure function of (seed, epoch), and the logical shards of a batch of their number.
Neither depends on the number of workers, nor on whether the epoch was started or resumed.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Required, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.errors import ConfigError
from pipeline.types import DataSet, Split

# N samples of a split, B batch
Arrays = tuple[Tensor, Tensor]  # inputs_N…, targets_N…
EVAL_BATCH = 1000
SPLIT_SEED = 0  # validation is the same slice of train whatever the run's seed: scores of seeds stay comparable


class Shard(NamedTuple):
    """One logical shard of a global batch."""

    number: int
    total: int  # samples of the whole batch
    batch: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Shards:
    """The logical shards that a batch is cut into, and which of them this worker computes."""

    count: int = 1
    own: range = range(1)

    @classmethod
    def of_worker(cls, count: int, rank: int, workers: int) -> "Shards":
        """The neighbouring shards of worker `rank`: its sum is a whole subtree of the sum of all."""
        return cls(count, range(rank * count // workers, (rank + 1) * count // workers))

    def parts(self, samples: int) -> Iterator[tuple[int, slice]]:
        """The own shards of a batch that are not empty, each with the places of its samples.

        Shard s of S takes samples s, s + S, … A batch of fewer than 2 S samples is cut into fewer shards, the others
        are empty: batch norm needs two samples.
        """
        filled = self.count
        while filled > 1 and samples < 2 * filled:
            filled //= 2
        return ((index, slice(index, None, filled)) for index in self.own if index < filled)


ONE_SHARD = Shards()


class Order(TypedDict, total=False):
    """The settings of the order of an epoch's samples, and which of them are this worker's."""

    seed: Required[int]
    epoch: Required[Callable[[], int]]
    shards: Shards


class Batches:
    """This worker's shards of every global batch of an epoch; whole batches only.

    Yields a batch, or with more than one shard the list of the own `Shard`s. A set smaller than a batch is one batch.
    An epoch that was left can be resumed (`state_dict`).
    """

    def __init__(
        self,
        arrays: tuple[Any, Tensor],
        batch_size: int,
        *,
        seed: int,
        epoch: Callable[[], int],
        shards: Shards = ONE_SHARD,
    ):
        self.inputs, self.targets = arrays
        self.batch_size = min(batch_size, len(self.targets))
        self.seed, self.epoch = seed, epoch
        self.shards = shards
        self.taken = self.skipped = 0

    def draw(self, generator: torch.Generator) -> Tensor:
        """The epoch's global batches as (batch, B) indices."""
        order = torch.randperm(len(self.targets), generator=generator)
        return order[: len(self) * self.batch_size].view(-1, self.batch_size)

    def take(self, batch_B: Tensor, part: slice) -> tuple[Tensor, ...]:
        """The samples at some places of a global batch."""
        chosen = batch_B[part]
        # Not `inputs[chosen]`, which copies number by number where this copies row by row: a fifth of the time.
        return self.inputs.index_select(0, chosen), self.targets.index_select(0, chosen)

    def __len__(self) -> int:
        return len(self.targets) // self.batch_size

    def __iter__(self) -> Iterator[Any]:
        state = np.random.SeedSequence((self.seed, self.epoch())).generate_state(1, np.uint64)[0]
        batches = self.draw(torch.Generator().manual_seed(int(state)))
        self.taken, self.skipped = self.skipped, 0
        for place in range(self.taken, len(batches)):
            batch_B = batches[place]
            own = [Shard(index, len(batch_B), self.take(batch_B, part)) for index, part in self._parts(batch_B)]
            self.taken += 1
            yield own if self.shards.count > 1 else own[0].batch

    def _parts(self, batch_B: Tensor) -> Iterator[tuple[int, slice]]:
        return self.shards.parts(len(batch_B))

    def state_dict(self) -> dict[str, int]:
        """The number of the epoch's batches that were taken; the same on every worker."""
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.skipped = state["taken"]


class InOrder:
    """One shard of a split for evaluation: every sample once, in the stored order."""

    def __init__(self, arrays: Arrays, shard: tuple[int, int] = (0, 1)):
        index, shards = shard
        self.inputs, self.targets = (array[index::shards] for array in arrays)

    def __len__(self) -> int:
        return math.ceil(len(self.targets) / EVAL_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.targets), EVAL_BATCH):
            yield self.inputs[start : start + EVAL_BATCH], self.targets[start : start + EVAL_BATCH]


class Loader(Protocol):
    """Batches of one shard of a split, for evaluation."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...


class SideBySide:
    """Several shards of a split for evaluation: the first batch of each, then the second of each, and so on."""

    def __init__(self, shards: Mapping[int, Loader]):
        self.shards = shards

    def __len__(self) -> int:
        # Lightning would skip the validation of a worker without batches, and with it the sum over all workers.
        return max(1, *map(len, self.shards.values()))

    def __iter__(self) -> Iterator[list[Shard]]:
        rows = [*zip_longest(*self.shards.values())] or [()]
        for row in rows:
            parts = zip(self.shards, row, strict=False)
            yield [Shard(index, len(batch[1]), batch) for index, batch in parts if batch is not None]


class BatchedData:
    """A data set in three splits, as batches for any number of workers.

    Knows no Lightning, whose import takes longer than a prediction: in training `DataModule` passes its batches on.

    A subclass defines `setup` and `digest`; its batches are `Batches` unless it overrides `shuffled`. Views that only
    some data sets have (`pictures`, `points`, `raw_texts` …) are None for the others.
    """

    shards = ONE_SHARD  # set by `fit`

    labels: tuple[str, ...] = ()  # names of the classes, if there are classes
    centred_digits = False  # whether a picture is to be centred as MNIST's digits are

    def __init__(self, name: str, batch_size: int, seed: int):
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

    def shuffled(self, **order: Unpack[Order]) -> Batches:
        """The train split in the order of `seed` and `epoch`."""
        return Batches(self.splits["train"], self.batch_size, **order)

    def train_dataloader(self, epoch: Callable[[], int] = lambda: 0) -> Batches:
        return self.shuffled(seed=self.seed, epoch=epoch, shards=self.shards)

    def val_dataloader(self) -> Loader | SideBySide:
        count = self.shards.count
        loaders = {index: self.validation((index, count)) for index in self.shards.own}
        return SideBySide(loaders) if count > 1 else loaders[0]

    def validation(self, shard: tuple[int, int]) -> Loader:
        """One shard, (index, how many), of the validation split."""
        return InOrder(self.splits["val"], shard)

    def on_after_batch_transfer(self, batch: tuple[Tensor, ...], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """A batch of a loader, or a shard of one, as the net takes it."""
        inputs, targets = batch
        return inputs, targets

    def batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole split in its stored order, as the net takes it; for evaluation in one process."""
        self.setup()
        for batch in InOrder(self.splits[split]):
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
