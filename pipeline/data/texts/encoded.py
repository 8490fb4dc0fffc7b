"""Tokenised texts on disk: each text is tokenised once, and only requested texts are read into memory.

A folder under `.cache/` holds the words of all texts as indices into the list of unique words. A vocabulary is counted
from it and applied in reading, so that one folder serves all vocabularies.
"""

import hashlib
import json
import os
import weakref
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data.cache import cached_folder
from pipeline.data.texts.vocabulary import UNKNOWN, Vocabulary, tokenize
from pipeline.types import Split

# N texts, D unique words
VERSION = 1  # of the files, and of what `tokenize` makes of a text
CHUNK = 1 << 18  # words in memory at once
WIDTH = 4  # bytes of a word's index
UNLIMITED = 2**31 - 1  # words of a text
EVERYTHING = slice(None)
Rows = np.ndarray | slice


class TextRow(NamedTuple):
    """A text with its class and group; texts of one group stay in one split."""

    text: str
    label: str
    group: str | None = None  # None: a group of its own


class TokenStore:
    """N tokenised texts on disk; memory holds their offsets, 8 bytes a text."""

    def __init__(self, folder: Path):
        self.folder = folder
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.labels: tuple[str, ...] = tuple(index["labels"])  # in alphabetic order
        self.digest: str = index["digest"]  # SHA-256 over all texts and labels
        self.grouped: bool = index["grouped"]
        self.bounds = self._column("bounds", "q")  # (N + 1,)
        # Read by offset: pages of a memory map would count as memory of this process.
        self._handle = os.open(folder / "words", os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    @classmethod
    def of(cls, rows: Iterable[TextRow], cache: Path, source: str) -> "TokenStore":
        """Tokenise `rows`, or read them from `cache` by the digest of their source.

        Raises: DataError if they can't be written.
        """
        key = hashlib.sha256(f"{source} {VERSION}".encode()).hexdigest()[:16]
        return cls(cached_folder(cache / "texts" / key, lambda folder: _write(rows, folder)))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def label_indices(self, rows: Rows = EVERYTHING) -> np.ndarray:
        """Index of each text's class in `labels`."""
        return self._column("labels", "i")[rows]

    def digests(self, rows: Rows = EVERYTHING) -> np.ndarray:
        """First 64 bits of each text's SHA-256."""
        return self._column("digests", "q")[rows]

    def groups(self, rows: Rows = EVERYTHING) -> np.ndarray:
        """Group number of each text, in alphabetic order of the groups' names."""
        return self._column("groups", "q")[rows] if self.grouped else self.digests(rows)

    def unique_words(self) -> Iterator[str]:
        """The D unique words, in order of first occurrence."""
        with (self.folder / "different").open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line[:-1]

    def counts(self, rows: np.ndarray) -> dict[str, int]:
        """Frequency of each word in the chosen texts."""
        chosen_N = np.zeros(len(self), dtype=bool)
        chosen_N[rows] = True
        unique = list(self.unique_words())
        times_D = np.zeros(len(unique), dtype=np.int64)
        for part, indices in self._chunks():
            lengths = np.diff(self.bounds[part.start : part.stop + 1])
            times_D += np.bincount(indices[np.repeat(chosen_N[part], lengths)], minlength=len(unique))
        return {word: times for word, times in zip(unique, times_D.tolist(), strict=True) if times}

    def lengths(self, numbers_D: np.ndarray) -> np.ndarray:
        """(N,) number of words of each text without those whose id is 0."""
        if numbers_D.all():
            return np.diff(self.bounds).astype(np.int32)
        counts = []
        for part, indices in self._chunks():
            stays = np.concatenate([[0], np.cumsum(numbers_D[indices] != 0)])
            bounds = self.bounds[part.start : part.stop + 1] - self.bounds[part.start]
            counts.append(np.diff(stays[bounds]).astype(np.int32))
        return np.concatenate(counts)

    def read(self, begin: int, end: int) -> np.ndarray:
        """Indices into the unique words of the words `begin` to `end`."""
        return np.frombuffer(os.pread(self._handle, WIDTH * (end - begin), WIDTH * begin), dtype=np.int32)

    def _chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Consecutive slices of the texts with the indices of their words."""
        first = 0
        while first < len(self):
            begin = int(self.bounds[first])
            last = max(int(np.searchsorted(self.bounds, begin + CHUNK, "right")) - 1, first + 1)
            yield slice(first, last), self.read(begin, int(self.bounds[last]))
            first = last

    def _column(self, name: str, code: str) -> np.ndarray:
        return np.fromfile(self.folder / name, dtype=code)


class EncodedTexts(Sequence[Tensor]):
    """Token ids (T,) int64 of chosen texts, truncated to `max_tokens` words; read lazily.

    Memory holds the row and the length of each text, 12 bytes a text.
    """

    def __init__(
        self, tokens: TokenStore, rows: np.ndarray, vocabulary: Vocabulary, max_tokens: int, truncation_side: str
    ):
        self.tokens, self.rows, self.max_tokens, self.truncation_side = tokens, rows, max_tokens, truncation_side
        numbers = vocabulary.numbers(tokens.unique_words())
        self.numbers_D = np.fromiter(numbers, dtype=np.int64)
        self.complete = bool(self.numbers_D.all())
        self.lengths = torch.from_numpy(tokens.lengths(self.numbers_D)[rows].clip(1, max_tokens))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]  # no slices
        row = self.rows[index]
        numbers = self.numbers_D[self.tokens.read(int(self.tokens.bounds[row]), int(self.tokens.bounds[row + 1]))]
        if not self.complete:
            numbers = numbers[numbers > 0]
        if not len(numbers):
            return torch.tensor([UNKNOWN])
        return torch.from_numpy(
            numbers[: self.max_tokens] if self.truncation_side == "right" else numbers[-self.max_tokens :]
        )


def lengths(texts: Sequence[Tensor]) -> Tensor:
    """(N,) number of token ids of each text."""
    return texts.lengths if isinstance(texts, EncodedTexts) else torch.tensor([len(text) for text in texts])


class LazyTexts(dict[Split, list[str]]):
    """Raw texts of each split, read on first use."""

    def __init__(self, read: Callable[[Split], list[str]]):
        super().__init__()
        self.read = read

    def __missing__(self, split: Split) -> list[str]:
        self[split] = self.read(split)
        return self[split]


def _write(rows: Iterable[TextRow], folder: Path) -> None:
    """Fill a folder for `TokenStore`, one text in memory at a time."""
    different, labels, groups = (defaultdict[str, int](count().__next__) for _ in range(3))
    bounds, digests, own_labels, own_groups = array("q", [0]), array("q"), array("i"), array("q")
    digest = hashlib.sha256()
    with (folder / "words").open("wb") as out:
        for text, label, group in rows:
            places = array("i", [*map(different.__getitem__, tokenize(text))])
            places.tofile(out)
            bounds.append(bounds[-1] + len(places))
            content = hashlib.sha256(text.encode()).digest()
            digests.append(int.from_bytes(content[:8], "little", signed=True))
            digest.update(content + label.encode() + b"\n")
            own_labels.append(labels[label])
            if group is not None:
                own_groups.append(groups[group])
    with (folder / "different").open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(f"{word}\n" for word in different)
    np.asarray(bounds).tofile(folder / "bounds")
    np.asarray(digests).tofile(folder / "digests")
    _ranked(labels, own_labels).astype("i").tofile(folder / "labels")
    if groups:
        _ranked(groups, own_groups).astype("q").tofile(folder / "groups")
    index = {"labels": sorted(labels), "digest": digest.hexdigest(), "grouped": bool(groups)}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _ranked(names: Mapping[str, int], places: "array[int]") -> np.ndarray:
    """Indices in order of first occurrence, converted to indices in alphabetic order."""
    ranks = np.empty(len(names), dtype=np.int32)
    ranks[[names[name] for name in sorted(names)]] = np.arange(len(names), dtype=np.int32)
    ranked: np.ndarray = ranks[np.asarray(places)]
    return ranked
