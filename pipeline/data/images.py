"""Images as arrays, batches and an `ImageData`; augmentation of whole batches.

Augmentation is a pure function of (seed, epoch, sample), whatever the number of workers.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data import store
from pipeline.data.batches import SPLIT_SEED, Arrays, BatchedData, Batches
from pipeline.data.raw import Bytes, mnist_sample, read_idx, sklearn_digits
from pipeline.errors import ConfigError
from pipeline.types import Split

# N samples of a split, B batch, C channel, H height, W width
# Sets that packages carry, and how many of their images are kept for test.
EMBEDDED: dict[str, tuple[Callable[[], tuple[Bytes, Bytes]], int]] = {
    "mnist-5k": (mnist_sample, 500),
    "digits": (sklearn_digits, 300),
}
CENTRED = {"mnist", "mnist-5k"}  # the sets whose makers centred each digit: see `pipeline.data.digits`


class Augment:
    """A random affine and elastic distortion of each image, from numbers drawn once per (seed, epoch, sample).

    Rotation, shift, scale and shear are uniform within plus or minus the given amount; `elastic_px` is the standard
    deviation of displacements on a 4x4 grid, smoothly interpolated (Simard, Steinkraus, Platt 2003).
    """

    GRID = 4

    def __init__(self, rotate_deg: float, shift_px: float, scale: float, shear: float, elastic_px: float):
        self.amounts = torch.tensor([math.radians(rotate_deg), shift_px, shift_px, scale, scale, shear])
        self.elastic_px = elastic_px

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, 6 + 2 x 4 x 4): what `__call__` needs for each of n samples."""
        affine = torch.rand(n, 6, generator=generator).mul_(2).sub_(1) * self.amounts
        return torch.cat([affine, self.elastic_px * torch.randn(n, 2 * self.GRID**2, generator=generator)], dim=1)

    def __call__(self, images_BCHW: Tensor, noise: Tensor) -> Tensor:
        height, width = images_BCHW.shape[-2:]
        angle, right, down, wider, taller, shear = noise[:, :6].unbind(1)
        cos, sin = angle.cos(), angle.sin()
        # Sampling places run from -1 to 1, so a pixel is 2 / side of them.
        affine = torch.stack(
            [(1 + wider) * cos, shear - sin, right * 2 / width, sin + shear, (1 + taller) * cos, down * 2 / height],
            dim=1,
        )
        coarse = noise[:, 6:].view(-1, 2, self.GRID**2) * (2 / width)
        # Both distortions are linear in the coordinates and the grid's corners: one product moves every pixel.
        moved = torch.cat([affine.view(-1, 2, 3), coarse], dim=2) @ self._basis(height, width).to(noise.device)
        grid = moved.view(-1, 2, height, width).permute(0, 2, 3, 1)
        return F.grid_sample(images_BCHW, grid, align_corners=False)

    @staticmethod
    @cache
    def _basis(height: int, width: int) -> Tensor:
        """(3 + 4 x 4, height x width): x, y, 1 and the weight of each grid corner, at each pixel's centre."""
        places = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False).view(-1, 2).T
        corners = torch.eye(Augment.GRID**2).view(-1, 1, Augment.GRID, Augment.GRID)
        weights = F.interpolate(corners, (height, width), mode="bilinear", align_corners=True)
        return torch.cat([places, torch.ones(1, height * width), weights.view(Augment.GRID**2, -1)])


class Augmented(Batches):
    """Batches of images with the numbers that augmentation needs, drawn once per (seed, epoch, sample)."""

    def __init__(self, arrays: Arrays, batch_size: int, augment: Any, **order: Any):
        super().__init__(arrays, batch_size, **order)
        self.augment = augment

    def draw(self, generator: torch.Generator) -> Tensor:
        batches = super().draw(generator)
        self.noise = self.augment.draw(len(self.targets), generator)
        return batches

    def take(self, batch_B: Tensor, mine: slice) -> tuple[Tensor, ...]:
        return *super().take(batch_B, mine), self.noise[batch_B[mine]]


class ImageData(BatchedData):
    """MNIST, its sample or scikit-learn's digits as batches of (images_BCHW in [0, 1], labels_B).

    Images travel as uint8 and become floats, augmented in training, on the device.

    Raises: DataError unless the stored bytes verify; ConfigError if `val_size` leaves no train sample, or the batch
    can't be shared equally.
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
                f"data.val_size: {self.val_size} of {len(train[1])} train images leaves none to learn from."
            )
        fit, val = stratified(train[1], self.val_size)
        self.splits = {"train": (train[0][fit], train[1][fit]), "val": (train[0][val], train[1][val]), "test": test}

    def arrays(self) -> tuple[Arrays, Arrays]:
        """What there is to learn from (validation included), and the test split."""
        return _embedded_arrays(self.data_name) if self.data_name in EMBEDDED else _mnist_arrays(self.folder)

    def digest(self) -> str:
        return embedded_digest(self.data_name) if self.data_name in EMBEDDED else store.digest(self.data_name)

    def shuffled(self, **order: Any) -> Batches:
        if self.augment is None:
            return super().shuffled(**order)
        return Augmented(self.splits["train"], self.batch_size, self.augment, **order)

    def pictures(self, split: Split) -> np.ndarray:
        """(N, H, W) in [0, 1]: the split as a person would look at it."""
        images_NCHW: Tensor = self.splits[split][0]
        return images_NCHW.squeeze(1).numpy() / np.float32(255)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        images, labels, *noise = batch
        images = images.float().div_(255)
        return (self.augment(images, noise[0]) if self.augment and noise else images), labels


def stratified(labels_N: Tensor, held_out: int, seed: int = SPLIT_SEED) -> tuple[Tensor, Tensor]:
    """Split indices into (kept, held out), every class in proportion; both in rising order."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels_N), generator=generator)
    by_class = shuffled[labels_N[shuffled].argsort(stable=True)]
    # Every k-th of a list sorted by class, at evenly spaced places, takes each class in proportion.
    places = (torch.arange(held_out) * len(labels_N) + len(labels_N) // 2) // max(held_out, 1)
    out = torch.zeros(len(labels_N), dtype=torch.bool)
    out[by_class[places]] = True
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
    kept, out = stratified(labels, test_size)
    return (images[kept], labels[kept]), (images[out], labels[out])


def embedded_digest(name: str) -> str:
    """SHA-256 of an embedded set's images and labels."""
    images, labels = EMBEDDED[name][0]()
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def _tensors(images: np.ndarray, labels: np.ndarray) -> Arrays:
    return torch.from_numpy(np.array(images)).unsqueeze(1), torch.from_numpy(np.array(labels)).long()
