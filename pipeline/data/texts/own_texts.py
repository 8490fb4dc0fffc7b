"""Data module of a user's own texts: class folders of `.txt` files or an archive of them, or tables of texts.

Images: `pipeline.data.images.image_folder`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pipeline.data.own.found import FEW, Found, found, shown_set_aside
from pipeline.data.own.holdout import count_of, stratified_group_holdout
from pipeline.data.own.tables import Columns, Row
from pipeline.data.own.text_source import TextSource
from pipeline.data.texts.encoded import TextRow
from pipeline.data.texts.text_data import TextData
from pipeline.errors import DataError
from pipeline.types import Split

HELD_OUT: tuple[tuple[Split, str], ...] = (("test", "test_size"), ("val", "val_size"))


class OwnTexts(TextData):
    """A user's own texts, in the splits that they bring, else in stratified ones without a text on both sides.

    `val_size` and `test_size` are shares of the data below 1, and numbers of texts from 1 on. `text_column` and
    `label_column` name the columns of a table whose header is not recognised.
    """

    def __init__(
        self,
        name: str,
        path: str,
        classes: int,
        vocabulary_size: int,
        max_tokens: int,
        truncation_side: str,
        dropped_words: int,
        batch_size: int,
        val_size: float,
        test_size: float,
        text_column: str | None = None,
        label_column: str | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(
            name,
            classes,
            vocabulary_size,
            max_tokens,
            truncation_side,  # type: ignore[arg-type]
            dropped_words,
            batch_size,
            0,
            folder=folder,
            seed=seed,
        )
        self.path = folder.parent / Path(path).expanduser()
        self.source_texts = TextSource(self.path, Columns(text_column, label_column))
        self.sizes = {"val_size": val_size, "test_size": test_size}

    def read(self) -> None:
        """Assign texts and labels to splits; texts that are not in `.cache` are tokenised."""
        if self.truth:
            return
        parts = self.source_texts.parts
        stores = {part: self.tokens(part) for part in parts}
        self.labels = self._classes(
            sum(map(len, stores.values())), {label for s in stores.values() for label in s.labels}
        )
        self._check_different()
        rows = {part: np.arange(len(store)) for part, store in stores.items()}
        where: dict[str, tuple[str, np.ndarray]] = {
            split: (split, rows[split]) for split in ("train", "val", "test") if split in rows
        }
        rest, kept = ("all", rows["all"]) if "all" in rows else where["train"]
        total = len(kept)
        sizes = {
            split: count_of(f"data.{key}", self.sizes[key], total) for split, key in HELD_OUT if split not in where
        }
        for split, size in sizes.items():
            out = self._held_out(rest, kept, size, split)
            where[split], kept = (rest, kept[out]), kept[~out]
        where["train"] = rest, kept
        self.rows_of = {"train": where["train"], "val": where["val"], "test": where["test"]}
        self.truth = {split: torch.from_numpy(self._truth(*place)) for split, place in self.rows_of.items()}
        self._check_splits()

    def rows(self, part: str) -> Iterator[TextRow]:
        return (TextRow(row.text, row.label) for row in self.source_texts.rows(part) if isinstance(row, Row))

    def source(self, part: str) -> str:
        return self.source_texts.digest(part)

    def digest(self) -> str:
        """SHA-256 over all texts and labels, and the splits that they bring; equal for a folder and a table of it."""
        parts = self.source_texts.parts
        if parts == ("all",):
            return self.tokens("all").digest
        return hashlib.sha256("".join(f"{part} {self.tokens(part).digest}\n" for part in parts).encode()).hexdigest()

    def remarks(self) -> Iterator[str]:
        """Remarks on texts that are set aside, equal texts, contradictory labels, leaks and texts without words."""
        self.read()
        yield from self._remarks(self.source_texts.set_aside())

    def found(self) -> Found:
        """The contents of the data, as `pipeline data check` prints it."""
        self.read()
        set_aside = self.source_texts.set_aside()
        return found(self.truth, self.labels, set_aside, self._remarks(set_aside))

    def _remarks(self, set_aside: dict[str, str]) -> Iterator[str]:
        yield from shown_set_aside(set_aside)
        yield from self.source_texts.remarks()
        digests = {split: self.tokens(part).digests(rows) for split, (part, rows) in self.rows_of.items()}
        texts_N = np.concatenate([*digests.values()])
        truth_N = np.concatenate([truth.numpy() for truth in self.truth.values()])
        different = np.unique(texts_N)
        if twice := len(texts_N) - len(different):
            yield f"duplicates  {twice:,} of {len(texts_N):,} texts are equal to others"
        order = np.lexsort((truth_N, texts_N))
        same_text, same_label = (np.diff(each[order]) == 0 for each in (texts_N, truth_N))
        if contradictory := len(np.unique(texts_N[order][1:][same_text & ~same_label])):
            yield f"labels      {contradictory:,} texts have contradictory labels: the same text is in several classes"
        earlier: list[Split] = ["train"]
        for split in ("val", "test"):
            seen = np.isin(digests[split], np.concatenate([digests[each] for each in earlier]))
            if seen.any():
                yield f"leak        {seen.sum():,} of {len(seen):,} {split} texts are in {' or '.join(earlier)}, too"
            earlier.append(split)
        if wordless := sum(int((np.diff(self.tokens(p).bounds) == 0).sum()) for p in self.source_texts.parts):
            yield f"wordless    {wordless:,} texts hold no word (letters or digits); nothing can be learned from them"
        if len(self.truth["train"]) < FEW:
            yield f"few         {len(texts_N):,} texts are few for a net: try model=tfidf, or more trainer.max_epochs"

    def _held_out(self, part: str, rows: np.ndarray, size: int, split: Split) -> np.ndarray:
        groups = self.tokens(part).digests(rows)
        try:
            return stratified_group_holdout(self._truth(part, rows), groups, size, self.labels, split)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error

    def _truth(self, part: str, rows: np.ndarray) -> np.ndarray:
        """(N,) index of each text's class."""
        tokens = self.tokens(part)
        classes = np.array([self.labels.index(label) for label in tokens.labels], dtype=np.int64)
        indices: np.ndarray = classes[tokens.label_indices(rows)]
        return indices

    def _check_different(self) -> None:
        """Raises: DataError if all texts are equal."""
        digests = [self.tokens(part).digests() for part in self.source_texts.parts]
        if len(np.unique(np.concatenate(digests))) < 2:
            raise DataError(
                f"{self.path}: expected different texts, got {len(digests[0]):,} equal ones. Check the file."
            )

    def _check_splits(self) -> None:
        """Raises: DataError if a split lacks a class."""
        for split, truth in self.truth.items():
            if lacking := sorted(set(range(len(self.labels))) - set(truth.tolist())):
                names = ", ".join(self.labels[label] for label in lacking)
                raise DataError(
                    f"{self.path}: expected texts of every class in {split}, got none of {names}. Add some, or give "
                    "one table or folder without splits, which is split then."
                )

    def _classes(self, count: int, found: set[str]) -> tuple[str, ...]:
        """Raises: DataError for fewer than two classes, or for another number than `data.classes`."""
        names = tuple(sorted(found))
        aside = [f"{name} {why}" for name, why in list(self.source_texts.set_aside().items())[:3]]
        if lost := self.source_texts.folders() - found:
            where = f"{', '.join(sorted(lost))} ({'; '.join(aside)})"
            raise DataError(
                f"{self.path}: no usable text in {where}. Fix or remove that class, or see `pipeline data check`: of "
                "pictures, data=image_folder is right."
            )
        if len(names) < 2:
            raise DataError(
                f"{self.path}: expected samples of at least two classes, got {count} of {len(names)}. Make a subfolder "
                "for each class with its .txt files, or a CSV file with the columns text and label."
                + f" Set aside: {'; '.join(aside)}."
                * bool(aside)
            )
        if len(names) != self.classes:
            raise DataError(
                f"{self.path}: data.classes is {self.classes}, found {len(names)}: {', '.join(names)}. "
                "Leave data.classes out: it is counted."
            )
        return names
