"""All samples of a user's own data, each with its name and class, whatever split they are in."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.data.images.idx_images import classes_of, idx_pairs, read_pair
from pipeline.data.images.prepared import prepare
from pipeline.data.own.look import kind_of
from pipeline.data.own.tables import Columns, Row
from pipeline.data.own.text_source import TextSource

IMAGE_SHAPE = (3, 32, 32)


@dataclass(frozen=True, slots=True)
class Samples:
    """N samples, images (N, …) of uint8 or texts."""

    content: np.ndarray | list[str]
    names: tuple[str, ...]  # a file, TABLE:LINE, or SPLIT NUMBER of an IDX file
    label_N: np.ndarray
    classes: tuple[str, ...]


def samples(path: Path, columns: Columns) -> Samples:
    """Read all samples.

    Raises: DataError for data that can't be read.
    """
    kind = kind_of(path, columns)
    if kind == "idx":
        return _of_idx(path)
    if kind == "texts":
        source = TextSource(path, columns)
        rows = [(name, row) for part in source.parts for name, row in source.named_rows(part) if isinstance(row, Row)]
        texts, labels = [row.text for _, row in rows], [row.label for _, row in rows]
        return _labelled(texts, [name for name, _ in rows], labels)
    with TemporaryDirectory() as cache:
        prepared = prepare(path, IMAGE_SHAPE, Path(cache))
        return _labelled(np.array(prepared.pixels), prepared.names, prepared.labels)


def _of_idx(path: Path) -> Samples:
    parts = {split: read_pair(*pair) for split, pair in idx_pairs(path).items()}
    names = tuple(f"{split} {number}" for split, (images, _) in parts.items() for number in range(len(images)))
    images = np.concatenate([np.asarray(images) for images, _ in parts.values()])
    labels = np.concatenate([np.asarray(labels) for _, labels in parts.values()]).astype(np.int64)
    return Samples(images, names, labels, classes_of(path))


def _labelled(
    content: np.ndarray | list[str], names: list[str] | tuple[str, ...], labels: list[str] | tuple[str, ...]
) -> Samples:
    classes = tuple(sorted(set(labels)))
    number = {label: place for place, label in enumerate(classes)}
    return Samples(content, tuple(names), np.array([number[label] for label in labels]), classes)
