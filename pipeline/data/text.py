"""Texts as numbered words, in batches of about equal length, and a `TextData`."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence

from pipeline.data import store
from pipeline.data.batches import SPLIT_SEED, BatchedData, Batches
from pipeline.data.embeddings import Embeddings
from pipeline.data.raw import read_jsonl
from pipeline.data.teacher import Teacher, taught
from pipeline.data.vocabulary import PADDING, Vocabulary, words
from pipeline.errors import ConfigError
from pipeline.types import DataSet, Split

# B batch, T time
Numbers = tuple[list[Tensor], Tensor]  # the numbers of each text, int64; labels_N int64, or labels_NK their shares
EVAL_BATCH = 250
BUCKET = 50  # batches that are sorted by length together


class Row(NamedTuple):
    """A text, its class, and what it is about: texts about the same thing are never split apart."""

    text: str
    label: int
    group: str


class Bucketed(Batches):
    """Batches of texts of about equal length, each worker's share padded to the longest of the whole batch."""

    inputs: list[Tensor]

    def __init__(self, numbers: Numbers, batch_size: int, **order: Any):
        super().__init__(numbers, batch_size, **order)
        self.lengths = torch.tensor([len(text) for text in self.inputs])

    def draw(self, generator: torch.Generator) -> Sequence[Tensor]:
        order = torch.cat(list(super().draw(generator)))
        pools = [pool[self.lengths[pool].argsort(stable=True)] for pool in order.split(BUCKET * self.batch_size)]
        batches = torch.cat(pools).split(self.batch_size)
        return [batches[index] for index in torch.randperm(len(batches), generator=generator).tolist()]

    def take(self, batch_B: Tensor, mine: slice) -> tuple[Tensor, ...]:
        return padded(self.inputs, self.targets, batch_B, mine)


class ByLength:
    """One worker's share of a split for evaluation: every text once, the shortest first."""

    def __init__(self, numbers: Numbers, share: tuple[int, int]):
        self.texts, self.labels = numbers
        rank, workers = share
        lengths = torch.tensor([len(text) for text in self.texts])
        mine = lengths.argsort(stable=True)[rank::workers]
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


class TextData(BatchedData):
    """Film reviews as batches of (tokens_BT int64, 0 where padded; labels_B), 1 for praise.

    The vocabulary is that of train without validation. Validation takes whole films: reviews of one film resemble each
    other, and 96 % of a random slice's would have a sibling in what is learned from.
    Of a longer text the `keep` ("first" or "last") `max_tokens` words stay. With a `teacher`, which learns from train,
    the texts without a label are learned from, too: with the teacher's probabilities in the place of labels.

    Raises: DataError unless the stored bytes verify; ConfigError if `val_size` leaves nothing to learn from.
    """

    labels: tuple[str, ...] = ("negative", "positive")

    def __init__(
        self,
        name: str,
        classes: int,
        vocabulary_size: int,
        max_tokens: int,
        keep: Literal["first", "last"],
        dropped_words: int,
        batch_size: int,
        val_size: int,
        embeddings: Embeddings | None = None,
        teacher: Teacher | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, seed)
        if keep not in ("first", "last"):
            raise ConfigError(f"data.keep: expected first or last, got {keep!r}. Set it with `data.keep=last`.")
        self.classes, self.vocabulary_size, self.max_tokens, self.keep = classes, vocabulary_size, max_tokens, keep
        self.dropped_words, self.val_size = dropped_words, val_size
        self.embeddings, self.teacher, self.folder = embeddings, teacher, Path(folder)
        self.texts: dict[Split, list[str]] = {}
        self.truth: dict[Split, Tensor] = {}

    def read(self) -> None:
        """The texts and labels of each split, as they were written."""
        if self.texts:
            return
        train, test = self.rows()
        held_out = whole_groups([row.group for row in train], self.val_size)
        if all(held_out):
            raise ConfigError(f"data.val_size: {self.val_size} of {len(train)} train texts leaves none to learn from.")
        parts: dict[Split, list[Row]] = {
            "train": [row for row, out in zip(train, held_out, strict=True) if not out],
            "val": [row for row, out in zip(train, held_out, strict=True) if out],
            "test": test,
        }
        for split, rows in parts.items():
            self.texts[split] = [row.text for row in rows]
            self.truth[split] = torch.tensor([row.label for row in rows])

    def rows(self) -> tuple[list[Row], list[Row]]:
        """What there is to learn from (validation included), and the test split."""
        store.verify(self.data_name, self.folder)
        train, test = (
            [Row(row["text"], int(row["rating"] > 5), row["film"]) for row in self._stored(part)]
            for part in ("train", "test")
        )
        return train, test

    def digest(self) -> str:
        return store.digest(self.data_name)

    def unlabelled(self) -> Iterator[str]:
        """Texts without a label, to learn word vectors from."""
        return (row["text"] for row in self._stored("unsup"))

    def _stored(self, part: str) -> Iterator[dict[str, Any]]:
        return read_jsonl(self.folder / self.data_name / f"{part}.jsonl")

    def setup(self, stage: str | None = None) -> None:
        if "val" in self.splits:
            return
        self.read()
        train = [words(text) for text in self.texts["train"]]
        self.vocabulary = Vocabulary.of(train, self.vocabulary_size - 2, self.dropped_words)
        self.splits["train"] = [self._numbers(text) for text in train], self.truth["train"]
        if self.teacher:
            self._learn_from_unlabelled(self.teacher)
        self._encode("val")

    def describe(self) -> DataSet:
        self.read()
        rows: dict[str, int] = {split: len(truth) for split, truth in self.truth.items()}
        return DataSet(self.data_name, self.digest(), rows)

    def shuffled(self, **order: Any) -> Bucketed:
        return Bucketed(self.splits["train"], self.batch_size, **order)

    def val_dataloader(self) -> ByLength:
        return ByLength(self.splits["val"], self.share)

    def batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        self.setup()
        self._encode(split)
        texts, labels = self.splits[split]
        for batch in torch.arange(len(texts)).split(EVAL_BATCH):
            yield padded(texts, labels, batch)

    def vectors(self) -> Tensor | None:
        """(V, E) word vectors from train and the texts without labels, kept in `.cache`; None if none are used."""
        if self.embeddings is None:
            return None

        def texts() -> Iterator[list[int]]:
            for text in chain(self.texts["train"], self.unlabelled()):
                yield self.vocabulary.encode(words(text))

        digest = self.embeddings.digest(self.digest(), self.vocabulary.digest)
        return self.embeddings.cached(self.folder.parent / ".cache", digest, texts, self.vocabulary_size)

    def _learn_from_unlabelled(self, teacher: Teacher) -> None:
        texts, truth_N = self.texts["train"], self.truth["train"]
        shares_NK = taught(teacher, texts, truth_N, self.unlabelled, self.folder.parent / ".cache", self.digest())
        numbers = [*self.splits["train"][0], *(self._numbers(words(text)) for text in self.unlabelled())]
        self.splits["train"] = numbers, torch.cat([one_hot(truth_N, self.classes).float(), shares_NK])

    def seen_in_train(self, split: Split) -> np.ndarray:
        """Which texts of a split stand word for word in train, too (validation included): of IMDB's test, 123."""
        self.read()
        known = {*self.texts["train"], *self.texts["val"]}
        return np.array([text in known for text in self.texts[split]])

    def _encode(self, split: Split) -> None:
        if split not in self.splits:
            self.splits[split] = [self._numbers(words(text)) for text in self.texts[split]], self.truth[split]

    def _numbers(self, text: Sequence[str]) -> Tensor:
        return encoded(self.vocabulary, text, self.max_tokens, self.keep)


def encoded(vocabulary: Vocabulary, text: Sequence[str], max_tokens: int, keep: str) -> Tensor:
    """(T,) the numbers of the first or last `max_tokens` words of a text that is already split."""
    numbers = vocabulary.encode(text)
    return torch.tensor(numbers[:max_tokens] if keep == "first" else numbers[-max_tokens:])


def whole_groups(groups: Sequence[str], size: int, seed: int = SPLIT_SEED) -> list[bool]:
    """Which rows are held out: all of some groups, drawn at random until there are at least `size` rows."""
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    counts = dict.fromkeys(names, 0)
    for group in groups:
        counts[group] += 1
    chosen, rows = set(), 0
    for name in names:
        if rows >= size:
            break
        chosen.add(name)
        rows += counts[name]
    return [group in chosen for group in groups]
