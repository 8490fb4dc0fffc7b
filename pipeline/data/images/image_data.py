"""Data module of MNIST and of the digits that ship with packages."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.batches import SPLIT_SEED, Arrays, BatchedData, Batches, Order
from pipeline.data.images.augment import Augment, Augmented
from pipeline.data.images.idx import Bytes, mnist_sample, read_idx, sklearn_digits
from pipeline.errors import ConfigError
from pipeline.types import Split

# N samples of a split, B batch, C channel, H height, W width
# Data sets that ship with packages, and the number of their test images.
EMBEDDED: dict[str, tuple[Callable[[], tuple[Bytes, Bytes]], int]] = {
    "mnist-5k": (mnist_sample, 500),
    "digits": (sklearn_digits, 300),
}

CENTRED = {"mnist", "mnist-5k"}  # data sets of centred digits: see `pipeline.data.images.digits`


class ImageData(BatchedData):
    """MNIST, its sample or scikit-learn's digits as batches of (images_BCHW in [0, 1], labels_B).

    Batches hold uint8 images, which are converted to floats and augmented on the device.

    Raises: DataError unless the stored files verify; ConfigError if `val_size` leaves no train sample, or the batch
    size is not a multiple of the number of workers.
    """

    def __init__(
        self,
        name: str,
        in_shape: Sequence[int],
        classes: int,
        batch_size: int,
        val_size: int,
        augment: Augment | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, seed)
        self.in_shape, self.classes = tuple(in_shape), classes
        self.val_size, self.augment, self.folder = val_size, augment, Path(folder)
        self.labels = tuple(str(index) for index in range(classes))
        self.centred_digits = name in CENTRED

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        train, test = self.arrays()
        if self.val_size >= len(train[1]):
            raise ConfigError(
                f"data.val_size: {self.val_size} of {len(train[1])} train images leaves none to train on. Lower it."
            )
        fit, val = stratified_split(train[1], self.val_size)
        self.splits = {"train": (train[0][fit], train[1][fit]), "val": (train[0][val], train[1][val]), "test": test}

    def arrays(self) -> tuple[Arrays, Arrays]:
        """Train (validation included) and test arrays."""
        return _embedded_arrays(self.data_name) if self.data_name in EMBEDDED else _mnist_arrays(self.folder)

    def digest(self) -> str:
        return embedded_digest(self.data_name) if self.data_name in EMBEDDED else store.digest(self.data_name)

    def shuffled(self, **order: Unpack[Order]) -> Batches:
        if self.augment is None:
            return super().shuffled(**order)
        return Augmented(self.splits["train"], self.batch_size, self.augment, **order)

    def pictures(self, split: Split) -> np.ndarray:
        """(N, H, W) images of a split in [0, 1], for display."""
        images_NCHW: Tensor = self.splits[split][0]
        return images_NCHW.squeeze(1).numpy() / np.float32(255)

    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        images, labels, *noise = batch
        images = images.float().div_(255)
        return (self.augment(images, noise[0]) if self.augment and noise else images), labels


def stratified_split(labels_N: Tensor, held_out: int, seed: int = SPLIT_SEED) -> tuple[Tensor, Tensor]:
    """Stratified split of indices into (kept, held out), both ascending."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels_N), generator=generator)
    by_class = shuffled[labels_N[shuffled].argsort(stable=True)]
    # Evenly spaced positions of a list sorted by class take each class in proportion.
    positions = (torch.arange(held_out) * len(labels_N) + len(labels_N) // 2) // max(held_out, 1)
    out = torch.zeros(len(labels_N), dtype=torch.bool)
    out[by_class[positions]] = True
    return (~out).nonzero().squeeze(1), out.nonzero().squeeze(1)


def _mnist_arrays(folder: Path) -> tuple[Arrays, Arrays]:
    store.verify("mnist", folder)
    train, test = (
        _tensors(
            read_idx(folder / f"mnist/{part}-images-idx3-ubyte"), read_idx(folder / f"mnist/{part}-labels-idx1-ubyte")
        )
        for part in ("train", "t10k")
    )
    return train, test


def _embedded_arrays(name: str) -> tuple[Arrays, Arrays]:
    read, test_size = EMBEDDED[name]
    images, labels = _tensors(*read())
    kept, out = stratified_split(labels, test_size)
    return (images[kept], labels[kept]), (images[out], labels[out])


def embedded_digest(name: str) -> str:
    """SHA-256 of the images and labels of a data set that ships with a package."""
    images, labels = EMBEDDED[name][0]()
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def _tensors(images: np.ndarray, labels: np.ndarray) -> Arrays:
    return torch.from_numpy(np.array(images)).unsqueeze(1), torch.from_numpy(np.array(labels)).long()
