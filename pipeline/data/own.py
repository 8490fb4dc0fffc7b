"""One's own images and texts: a folder with a subfolder for each class, or a CSV file with a line for each sample.

A folder: `PATH/CLASS/anything.png`, or `.txt`. A CSV file: a header with the columns `file` (an image, relative to the
CSV file) or `text`, and `label`.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pipeline.data.batches import Arrays
from pipeline.data.images import ImageData, stratified
from pipeline.data.raw import read_images
from pipeline.data.text import Row, TextData
from pipeline.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")


class Sample(NamedTuple):
    """The name of a class, and where its image is or what its text says."""

    label: str
    content: str


def samples(path: Path, suffixes: Sequence[str], column: str) -> list[Sample]:
    """The samples of a folder or CSV file in a fixed order; of a folder's texts, only where they are.

    Raises: DataError if there is nothing there, or a line lacks a column.
    """
    if path.is_dir():
        files = sorted(file for file in path.glob("*/*") if file.suffix.lower() in suffixes)
        found = [Sample(file.parent.name, str(file)) for file in files]
    else:
        found = list(_lines(path, column))
    if len({sample.label for sample in found}) < 2:
        kinds = ", ".join(suffixes)
        raise DataError(
            f"{path}: expected samples of at least two classes, got {len(found)} of "
            f"{len({sample.label for sample in found})}. Make a subfolder for each class with its {kinds} files, or a "
            f"CSV file with the columns {column} and label."
        )
    return found


def _lines(path: Path, column: str) -> Iterator[Sample]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(csv.DictReader(file, strict=True), start=2):
                if not line.get(column) or not line.get("label"):
                    raise DataError(
                        f"{path}:{number}: expected something in the columns {column} and label, got "
                        f"{ {key: value for key, value in line.items() if key in (column, 'label')} }. Mend that line."
                    )
                yield Sample(line["label"], line[column])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8 or a folder, got {error}. Give data.path.") from error


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


class OwnImages(ImageData):
    """Images of one's own, grey and scaled to `in_shape`; `test_size` of them are kept for test, every class in
    proportion.
    """

    def __init__(
        self,
        name: str,
        path: str,
        in_shape: Sequence[int],
        classes: int,
        batch_size: int,
        val_size: int,
        test_size: int,
        augment: object | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, in_shape, classes, batch_size, val_size, augment, folder=folder, seed=seed)  # type: ignore[arg-type]
        self.path, self.test_size = Path(path), test_size

    def arrays(self) -> tuple[Arrays, Arrays]:
        found = samples(self.path, PICTURES, "file")
        self.labels = classes_of(found, self.classes, self.path)
        height, width = self.in_shape[1:]
        images = [read_images(self.path.parent / sample.content, height, width) for sample in found]
        pictures = torch.from_numpy(np.concatenate(images)).unsqueeze(1)
        labels = torch.tensor([self.labels.index(sample.label) for sample in found])
        kept, out = stratified(labels, min(self.test_size, len(labels)))
        return (pictures[kept], labels[kept]), (pictures[out], labels[out])

    def digest(self) -> str:
        content = b"".join(tensor.numpy().tobytes() for split in self.splits.values() for tensor in split)
        return hashlib.sha256(content).hexdigest()


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
        found = samples(self.path, (".txt",), "text")
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
