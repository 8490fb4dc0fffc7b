"""Data module of a user's own texts: class folders of `.txt` files, or a CSV file with the columns `text` and `label`.

Images: `pipeline.data.images.image_folder`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pipeline.data.archive import table
from pipeline.data.images.image_data import stratified_split
from pipeline.data.texts.encoded import TextRow
from pipeline.data.texts.text_data import TextData
from pipeline.errors import DataError
from pipeline.files import sha256


class OwnTexts(TextData):
    """A user's own texts; a stratified sample of `test_size` texts is the test split."""

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
            truncation_side,  # type: ignore[arg-type]
            dropped_words,
            batch_size,
            val_size,
            folder=folder,
            seed=seed,
        )
        self.path, self.test_size = Path(path), test_size

    def parts(self) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
        tokens = self.tokens("all")
        self.labels = self._classes(len(tokens), tokens.labels)
        kept, out = stratified_split(torch.from_numpy(tokens.label_indices()), min(self.test_size, len(tokens)))
        return ("all", kept.numpy()), ("all", out.numpy())

    def rows(self, part: str) -> Iterator[TextRow]:
        if self.path.is_dir():
            yield from (TextRow(_read(file), file.parent.name) for file in self._files())
        else:
            yield from (TextRow(line["text"], line["label"]) for _, line in table(self.path, "text"))

    def source(self, part: str) -> str:
        digest = hashlib.sha256()
        for file in self._files():
            digest.update(f"{_sha256(file)} {file.suffix} {file.parent.name}\n".encode())
        return digest.hexdigest()

    def digest(self) -> str:
        """SHA-256 over all texts and labels; equal for a folder and a CSV file of it."""
        return self.tokens("all").digest

    def _files(self) -> list[Path]:
        """Files in a fixed order."""
        return sorted(self.path.glob("*/*.txt")) if self.path.is_dir() else [self.path]

    def _classes(self, count: int, found: tuple[str, ...]) -> tuple[str, ...]:
        """Raises: DataError for fewer than two classes, or for another number than `data.classes`."""
        if len(found) < 2:
            raise DataError(
                f"{self.path}: expected samples of at least two classes, got {count} of {len(found)}. Make a subfolder "
                "for each class with its .txt files, or a CSV file with the columns text and label."
            )
        if len(found) != self.classes:
            raise DataError(
                f"{self.path}: data.classes is {self.classes}, found {len(found)}: {', '.join(found)}. "
                f"Set data.classes={len(found)}."
            )
        return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected a text in UTF-8, got {error}. Convert it, or remove it.") from error


def _sha256(file: Path) -> str:
    try:
        return sha256(file)
    except OSError as error:
        raise DataError(f"{file}: expected a CSV file in UTF-8 or a folder, got {error}. Give data.path.") from error
