"""Data module of a user's own images in IDX files with MNIST's official names, as Fashion-MNIST has them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.data.batches import Arrays
from pipeline.data.images.augment import Augment
from pipeline.data.images.idx import Bytes, read_idx
from pipeline.data.images.image_data import ImageData, stratified_split
from pipeline.data.own.found import Found, found
from pipeline.data.own.holdout import count_of
from pipeline.errors import DataError
from pipeline.files import sha256

PREFIXES = {"train": ("train",), "test": ("t10k", "test")}
TEST_SHARE = 1 / 6  # of a set without test files


def idx_pairs(path: Path) -> dict[str, tuple[Path, Path]]:
    """The files of images and labels of each split below a folder; empty without a pair for training."""
    pairs = {
        split: pair for split, prefixes in PREFIXES.items() for prefix in prefixes if (pair := _pair(path, prefix))
    }
    return pairs if "train" in pairs else {}


def _pair(path: Path, prefix: str) -> tuple[Path, Path] | None:
    for ending in ("-ubyte", "-ubyte.gz"):
        for dot in "-.":
            pair = path / f"{prefix}-images{dot}idx3{ending}", path / f"{prefix}-labels{dot}idx1{ending}"
            if pair[0].is_file() and pair[1].is_file():
                return pair
    return None


def read_pair(images: Path, labels: Path) -> tuple[Bytes, Bytes]:
    """(N, H, W) images and (N,) labels.

    Raises: DataError if a file is damaged, or there is not one label for each image.
    """
    try:
        pixels, classes = read_idx(images), read_idx(labels)
    except DataError as error:
        raise DataError(f"{str(error).partition('. Run ')[0]}. Make the file again.") from error
    if pixels.ndim != 3 or classes.shape != pixels.shape[:1]:
        raise DataError(
            f"{images}: expected images (N, H, W) and as many labels, got the shapes {pixels.shape} and "
            f"{classes.shape}. Make the files again."
        )
    return pixels, classes


def classes_of(path: Path) -> tuple[str, ...]:
    """Labels from 0 to the largest of all splits."""
    largest = max(int(read_pair(*pair)[1].max()) for pair in idx_pairs(path).values())
    return tuple(str(label) for label in range(largest + 1))


def shape_of(path: Path) -> list[int]:
    """Channel, height and width of the images.

    Raises: DataError for a folder without IDX files.
    """
    pairs = idx_pairs(path)
    if not pairs:
        raise DataError(
            f"{path}: expected a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte (or .gz of them), got "
            "none. Give data.path."
        )
    return [1, *read_pair(*pairs["train"])[0].shape[1:]]


class IdxImages(ImageData):
    """Images of IDX files in the splits that their names say; without test files, a sixth of train is test."""

    def __init__(
        self,
        name: str,
        path: str,
        in_shape: Sequence[int],
        classes: int,
        batch_size: int,
        val_size: float,
        augment: Augment | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, in_shape, classes, batch_size, 0, augment, folder=folder, seed=seed)
        self.path, self.val_share = folder.parent / Path(path).expanduser(), val_size

    def arrays(self) -> tuple[Arrays, Arrays]:
        """Train (validation included) and test arrays.

        Raises: DataError if images have another shape than `in_shape`, or a class is missing in a split.
        """
        shape = shape_of(self.path)
        if shape != list(self.in_shape):
            raise DataError(f"{self.path}: data.in_shape is {list(self.in_shape)}, found {shape}. Leave it out.")
        parts = {split: _tensors(*read_pair(*pair)) for split, pair in idx_pairs(self.path).items()}
        if "test" not in parts:
            images, labels = parts["train"]
            kept, out = stratified_split(labels, round(TEST_SHARE * len(labels)))
            parts = {"train": (images[kept], labels[kept]), "test": (images[out], labels[out])}
        for split, (_, labels) in parts.items():
            if lacking := sorted(set(range(self.classes)) - set(labels.tolist())):
                raise DataError(
                    f"{self.path}: expected images of all classes from 0 to {self.classes - 1} in {split}, got none of "
                    f"{', '.join(map(str, lacking))}. Number the classes from 0 without gaps."
                )
        self.val_size = count_of("data.val_size", self.val_share, len(parts["train"][1]))
        return parts["train"], parts["test"]

    def digest(self) -> str:
        """SHA-256 over the digests of the files."""
        files = sorted(file for pair in idx_pairs(self.path).values() for file in pair)
        return hashlib.sha256("".join(f"{sha256(file)}  {file.name}\n" for file in files).encode()).hexdigest()

    def remarks(self) -> Iterator[str]:
        """Equal images and those that are in train and in test."""
        self.setup()
        seen = {
            split: {hash(image.tobytes()) for image in inputs.numpy()} for split, (inputs, _) in self.splits.items()
        }
        if twice := sum(len(truth) for _, truth in self.splits.values()) - sum(map(len, seen.values())):
            yield f"duplicates  {twice:,} images are equal to others of their split"
        for split in ("val", "test"):
            if leaks := len(seen[split] & seen["train"]):
                yield f"leak        {leaks:,} {split} images are in train, too"

    def found(self) -> Found:
        """The contents of the data, as `pipeline data check` prints it."""
        self.setup()
        return found({split: truth for split, (_, truth) in self.splits.items()}, self.labels, {}, self.remarks())


def _tensors(images: np.ndarray, labels: np.ndarray) -> Arrays:
    return torch.from_numpy(np.array(images)).unsqueeze(1), torch.from_numpy(np.array(labels)).long()
