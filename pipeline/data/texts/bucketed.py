"""Numbered texts in batches of about equal length: what stands after a text's end is inert, but takes time."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pipeline.data.batches import Batches
from pipeline.data.texts.encoded import lengths
from pipeline.data.texts.vocabulary import PADDING

# B batch, T time
Numbers = tuple[Sequence[Tensor], Tensor]  # the numbers of each text, int64; labels_N int64, or labels_NK their shares
EVAL_BATCH = 250
BUCKET = 50  # batches that are sorted by length together


class Bucketed(Batches):
    """Batches of texts of about equal length, each worker's share padded to the longest of the whole batch."""

    inputs: Sequence[Tensor]

    def __init__(self, numbers: Numbers, batch_size: int, **order: Any):
        super().__init__(numbers, batch_size, **order)
        self.lengths = lengths(self.inputs)

    def draw(self, generator: torch.Generator) -> Tensor:
        batches = super().draw(generator)
        for pool in batches.view(-1).split(BUCKET * self.batch_size):
            pool.copy_(pool[self.lengths[pool].argsort(stable=True)])
        return batches[torch.randperm(len(batches), generator=generator)]

    def take(self, batch_B: Tensor, mine: slice) -> tuple[Tensor, ...]:
        return padded(self.inputs, self.targets, batch_B, mine)


class ByLength:
    """One worker's share of a split for evaluation: every text once, the shortest first."""

    def __init__(self, numbers: Numbers, share: tuple[int, int]):
        self.texts, self.labels = numbers
        rank, workers = share
        mine = lengths(self.texts).argsort(stable=True)[rank::workers]
        self.batches = mine.split(EVAL_BATCH) if len(mine) else ()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.batches:
            yield padded(self.texts, self.labels, batch)


def padded(texts: Sequence[Tensor], labels: Tensor, batch: Tensor, share: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """The chosen texts as (B, T), padded at the end, and their labels."""
    tokens_BT = pad_sequence([texts[index] for index in batch.tolist()], batch_first=True, padding_value=PADDING)
    return tokens_BT[share], labels[batch[share]]
