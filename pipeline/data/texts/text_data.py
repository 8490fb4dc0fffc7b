"""Data module of text classification: tokenised film reviews, their splits, and unlabelled texts."""

import random
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pipeline.data import store
from pipeline.data.batches import SPLIT_SEED, BatchedData, Order
from pipeline.data.jsonl import read_jsonl
from pipeline.data.texts.bucketed import EVAL_BATCH, Bucketed, ByLength, padded
from pipeline.data.texts.embeddings import Embeddings
from pipeline.data.texts.encoded import UNLIMITED, EncodedTexts, LazyTexts, TextRow, TokenStore
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.errors import ConfigError
from pipeline.types import DataSet, Split

# N texts, M unlabelled texts, K class, V vocabulary, E embedding


class TextData(BatchedData):
    """Film reviews as batches of (tokens_BT int64, 0 where padded; labels_B), 1 for praise.

    The vocabulary is counted on train without validation. Validation takes all reviews of some films: of a random
    sample, 96 % would share their film with a train review. Texts longer than `max_tokens` words are truncated on their
    `truncation_side` ("left" or "right").

    With a teacher's predictions (`pseudo_label`), train also has the unlabelled texts, each followed by its `chunks`,
    with the teacher's class probabilities as soft labels. With `labeled_repeats` and no teacher, train also has the
    unlabelled texts, with zeros for labels, and each labelled text `labeled_repeats` times.

    Raises: DataError unless the stored files verify; ConfigError if `val_size` leaves no train text.
    """

    labels: tuple[str, ...] = ("negative", "positive")

    def __init__(
        self,
        name: str,
        classes: int,
        vocabulary_size: int,
        max_tokens: int,
        truncation_side: Literal["left", "right"],
        dropped_words: int,
        batch_size: int,
        val_size: int,
        embeddings: Embeddings | None = None,
        labeled_repeats: int = 0,
        chunks: int = 0,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, seed)
        if truncation_side not in ("left", "right"):
            raise ConfigError(
                f"data.truncation_side: expected left or right, got {truncation_side!r}. Set data.truncation_side=left."
            )
        self.classes, self.vocabulary_size, self.max_tokens, self.truncation_side = (
            classes,
            vocabulary_size,
            max_tokens,
            truncation_side,
        )
        self.dropped_words, self.val_size = dropped_words, val_size
        self.embeddings, self.labeled_repeats, self.chunks = embeddings, labeled_repeats, chunks
        self.folder = Path(folder)
        self.predictions_MK: Tensor | None = None
        self.texts = LazyTexts(self._written)
        self.rows_of: dict[Split, tuple[str, np.ndarray]] = {}  # the part of the data, and the rows in it
        self.truth: dict[Split, Tensor] = {}
        self._tokens: dict[str, TokenStore] = {}

    def read(self) -> None:
        """Assign texts and labels to splits; texts that are not in `.cache` are tokenised."""
        if self.truth:
            return
        (part, train), test = self.parts()
        held_out = group_holdout(self.tokens(part).groups(train), self.val_size)
        if held_out.all():
            raise ConfigError(
                f"data.val_size: {self.val_size} of {len(train)} train texts leaves none to train on. Lower it."
            )
        self.rows_of = {"train": (part, train[~held_out]), "val": (part, train[held_out]), "test": test}
        for split, (part, rows) in self.rows_of.items():
            tokens = self.tokens(part)
            classes = np.array([self.labels.index(label) for label in tokens.labels])
            self.truth[split] = torch.from_numpy(classes[tokens.label_indices(rows)])

    def parts(self) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
        """Part and rows of train (validation included), and of the test split."""
        store.verify(self.data_name, self.folder)
        train, test = ((part, np.arange(len(self.tokens(part)))) for part in ("train", "test"))
        return train, test

    def rows(self, part: str) -> Iterator[TextRow]:
        """Texts of a part, one at a time."""
        for row in read_jsonl(self.folder / self.data_name / f"{part}.jsonl"):
            for text in self._with_chunks(row["text"]) if part == "unsup" else [row["text"]]:
                yield TextRow(text, self.labels[row["rating"] > 5], row["film"])

    def source(self, part: str) -> str:
        """Identity of the bytes that `rows` reads."""
        return f"{store.digest(self.data_name)} {part}" + f" {self.chunks}" * (part == "unsup" and self.chunks > 0)

    def digest(self) -> str:
        return store.digest(self.data_name)

    def tokens(self, part: str) -> TokenStore:
        """Tokenised texts of a part."""
        if part not in self._tokens:
            self._tokens[part] = TokenStore.of(self.rows(part), self.folder.parent / ".cache", self.source(part))
        return self._tokens[part]

    def unlabeled_texts(self) -> Iterator[str]:
        """Unlabelled texts, each followed by its chunks."""
        return (row.text for row in self.rows("unsup"))

    def setup(self, stage: str | None = None) -> None:
        if "val" in self.splits:
            return
        self.read()
        part, rows = self.rows_of["train"]
        counts = self.tokens(part).counts(rows)
        self.vocabulary = Vocabulary.most_frequent(counts, self.vocabulary_size - 2, self.dropped_words)
        self._encode("train")
        if (labels_MK := self._unsup_labels()) is not None:
            texts, truth_N = self.splits["train"]
            labeled_repeats = max(1, self.labeled_repeats)
            labels_NK = torch.cat([one_hot(truth_N, self.classes).float().repeat(labeled_repeats, 1), labels_MK])
            self.splits["train"] = [*[*texts] * labeled_repeats, *self._numbers(*self._unsup())], labels_NK
        self._encode("val")

    def describe(self) -> DataSet:
        self.read()
        rows: dict[str, int] = {split: len(truth) for split, truth in self.truth.items()}
        return DataSet(self.data_name, self.digest(), rows)

    def shuffled(self, **order: Unpack[Order]) -> Bucketed:
        return Bucketed(self.splits["train"], self.batch_size, **order)

    def validation(self, shard: tuple[int, int]) -> ByLength:
        return ByLength(self.splits["val"], shard)

    def batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        self.setup()
        self._encode(split)
        texts, labels = self.splits[split]
        for batch in torch.arange(len(texts)).split(EVAL_BATCH):
            yield padded(texts, labels, batch)

    def vectors(self) -> Tensor | None:
        """(V, E) word vectors of train and the unlabelled texts, cached; None if `embeddings` is None."""
        if self.embeddings is None:
            return None

        def texts() -> Iterator[list[int]]:
            unsup, rows = self._unsup()
            whole_texts = unsup, rows[:: 1 + self.chunks]
            for part, rows in (self.rows_of["train"], whole_texts):
                for text in EncodedTexts(self.tokens(part), rows, self.vocabulary, UNLIMITED, "right"):
                    yield text.tolist()

        digest = self.embeddings.digest(self.digest(), self.vocabulary.digest)
        return self.embeddings.cached(self.folder.parent / ".cache", digest, texts, self.vocabulary_size)

    def pseudo_label(self, predictions_MK: Tensor) -> None:
        """Add the M unlabelled texts to train, with a teacher's probabilities as soft labels.

        Call it before `setup`.
        """
        self.predictions_MK = predictions_MK

    def _unsup_labels(self) -> Tensor | None:
        """(M, K) soft labels of the unlabelled texts, or zeros; None if they are not in train."""
        if self.predictions_MK is None and self.labeled_repeats:
            return torch.zeros(len(self.tokens("unsup")), self.classes)
        return self.predictions_MK

    def seen_in_train(self, split: Split) -> np.ndarray:
        """(N,) bool: texts of a split that are also in train, validation included: 123 of IMDB's test."""
        self.read()
        own, *known = (
            self.tokens(part).digests(rows) for part, rows in (self.rows_of[name] for name in (split, "train", "val"))
        )
        return np.isin(own, np.concatenate(known))

    def raw_texts(self, split: Split) -> Sequence[str]:
        return self.texts[split]

    def input_vocabulary(self) -> Vocabulary:
        self.setup()
        return self.vocabulary

    def _encode(self, split: Split) -> None:
        if split not in self.splits:
            self.splits[split] = self._numbers(*self.rows_of[split]), self.truth[split]

    def _numbers(self, part: str, rows: np.ndarray) -> EncodedTexts:
        return EncodedTexts(self.tokens(part), rows, self.vocabulary, self.max_tokens, self.truncation_side)

    def _with_chunks(self, text: str) -> list[str]:
        words = text.split(" ")
        bounds = np.linspace(0, len(words), self.chunks + 1, dtype=int)
        return [text, *(" ".join(words[begin:end]) for begin, end in pairwise(bounds))]

    def _unsup(self) -> tuple[str, np.ndarray]:
        return "unsup", np.arange(len(self.tokens("unsup")))

    def _written(self, split: Split) -> list[str]:
        self.read()
        part, rows = self.rows_of[split]
        chosen = np.zeros(len(self.tokens(part)), dtype=bool)
        chosen[rows] = True
        return [row.text for row, mine in zip(self.rows(part), chosen, strict=True) if mine]


def encode_truncated(vocabulary: Vocabulary, text: Sequence[str], max_tokens: int, truncation_side: str) -> Tensor:
    """(T,) token ids of a tokenised text, truncated to `max_tokens` words."""
    numbers = vocabulary.encode(text)
    return torch.tensor(numbers[:max_tokens] if truncation_side == "right" else numbers[-max_tokens:])


def group_holdout(groups: Sequence[str] | np.ndarray, size: int, seed: int = SPLIT_SEED) -> np.ndarray:
    """(N,) bool: held-out rows, all rows of randomly drawn groups until there are at least `size`."""
    in_order = np.sort(groups)
    bounds = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1], [True]]))
    order = array("q", range(len(bounds) - 1))  # a list would take four times the memory
    random.Random(seed).shuffle(order)
    chosen, rows = set(), 0
    for index in order:
        if rows >= size:
            break
        chosen.add(in_order[bounds[index]])
        rows += int(bounds[index + 1] - bounds[index])
    return np.fromiter((group in chosen for group in groups), dtype=bool, count=len(groups))  # isin would sort them all
