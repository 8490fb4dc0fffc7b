"""Texts as token ids in batches of about equal length: padding changes no result, but takes time."""

from collections.abc import Iterator, Sequence
from typing import Unpack

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pipeline.data.batches import Batches, Order
from pipeline.data.texts.encoded import lengths
from pipeline.data.texts.vocabulary import PADDING

# B batch, T time
Numbers = tuple[Sequence[Tensor], Tensor]  # the token ids of each text, int64; labels_N int64, or soft labels_NK
EVAL_BATCH = 250
BUCKET = 50  # batches that are sorted by length together


class Bucketed(Batches):
    """Batches of texts of about equal length, each shard padded to its longest text."""

    inputs: Sequence[Tensor]

    def __init__(self, numbers: Numbers, batch_size: int, **order: Unpack[Order]):
        super().__init__(numbers, batch_size, **order)
        self.lengths = lengths(self.inputs)

    def draw(self, generator: torch.Generator) -> Tensor:
        batches = super().draw(generator)
        for pool in batches.view(-1).split(BUCKET * self.batch_size):
            pool.copy_(pool[self.lengths[pool].argsort(stable=True)])
        return batches[torch.randperm(len(batches), generator=generator)]

    def take(self, batch_B: Tensor, part: slice) -> tuple[Tensor, ...]:
        return padded(self.inputs, self.targets, batch_B[part])


class ByLength:
    """One shard of a split for evaluation: every text once, the shortest first."""

    def __init__(self, numbers: Numbers, shard: tuple[int, int] = (0, 1)):
        self.texts, self.labels = numbers
        index, shards = shard
        own = lengths(self.texts).argsort(stable=True)[index::shards]
        self.batches = own.split(EVAL_BATCH) if len(own) else ()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.batches:
            yield padded(self.texts, self.labels, batch)


def padded(texts: Sequence[Tensor], labels: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen texts as (B, T), padded at the end to the longest, and their labels."""
    tokens_BT = pad_sequence([texts[index] for index in chosen.tolist()], batch_first=True, padding_value=PADDING)
    return tokens_BT, labels[chosen]
