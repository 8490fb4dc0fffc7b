"""One's own texts: a folder with a subfolder for each class of `.txt` files, or a CSV file with a line for each sample.

The CSV file has a header with the columns `text` and `label`. Pictures: `pipeline.data.folder`.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from pipeline.archive import table
from pipeline.data.images import stratified
from pipeline.data.text import Row, TextData
from pipeline.errors import DataError


class Sample(NamedTuple):
    """The name of a class, and where its text stands or what it says."""

    label: str
    content: str


def samples(path: Path) -> list[Sample]:
    """The samples of a folder or CSV file in a fixed order; of a folder's texts, only where they are.

    Raises: DataError if there is nothing there, or a line lacks a column.
    """
    if path.is_dir():
        found = [Sample(file.parent.name, str(file)) for file in sorted(path.glob("*/*.txt"))]
    else:
        found = [Sample(line["label"], line["text"]) for _, line in table(path, "text")]
    if len({sample.label for sample in found}) < 2:
        raise DataError(
            f"{path}: expected samples of at least two classes, got {len(found)} of "
            f"{len({sample.label for sample in found})}. Make a subfolder for each class with its .txt files, or a "
            "CSV file with the columns text and label."
        )
    return found


def classes_of(found: Sequence[Sample], expected: int, path: Path) -> tuple[str, ...]:
    """The classes' names in alphabetic order.

    Raises: DataError if there are not as many as the configuration says.
    """
    names = tuple(sorted({sample.label for sample in found}))
    if len(names) != expected:
        raise DataError(
            f"{path}: data.classes is {expected}, found {len(names)}: {', '.join(names)}. Set data.classes."
        )
    return names


class OwnTexts(TextData):
    """Texts of one's own; `test_size` of them are kept for test, every class in proportion."""

    def __init__(
        self,
        name: str,
        path: str,
        classes: int,
        vocabulary_size: int,
        max_tokens: int,
        keep: str,
        dropped_words: int,
        batch_size: int,
        val_size: int,
        test_size: int,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(
            name,
            classes,
            vocabulary_size,
            max_tokens,
            keep,  # type: ignore[arg-type]
            dropped_words,
            batch_size,
            val_size,
            folder=folder,
            seed=seed,
        )
        self.path, self.test_size = Path(path), test_size

    def rows(self) -> tuple[list[Row], list[Row]]:
        found = samples(self.path)
        self.labels = classes_of(found, self.classes, self.path)
        texts = [_read(Path(sample.content)) if self.path.is_dir() else sample.content for sample in found]
        rows = [Row(text, self.labels.index(sample.label), text) for text, sample in zip(texts, found, strict=True)]
        kept, out = stratified(torch.tensor([row.label for row in rows]), min(self.test_size, len(rows)))
        return [rows[index] for index in kept.tolist()], [rows[index] for index in out.tolist()]

    def digest(self) -> str:
        content = repr([(split, self.texts[split], self.truth[split].tolist()) for split in sorted(self.texts)])
        return hashlib.sha256(content.encode()).hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected a text in UTF-8, got {error}. Convert it, or take it out.") from error
