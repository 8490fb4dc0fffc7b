"""Images as arrays, batches and an `ImageData`; augmentation of whole batches.

The order of samples is a pure function of (seed, epoch, step), augmentation of (seed, epoch, sample): neither depends
on the number of workers.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.nn import functional as F

from pipeline.data import store
from pipeline.data.raw import Bytes, mnist_sample, read_idx, sklearn_digits
from pipeline.errors import ConfigError
from pipeline.types import DataSet, Split

# N samples of a split, B batch, C channel, H height, W width
Arrays = tuple[Tensor, Tensor]  # images_NCHW uint8, labels_N int64
EVAL_BATCH = 1000
# Sets that packages carry, and how many of their images are kept for test.
EMBEDDED: dict[str, tuple[Callable[[], tuple[Bytes, Bytes]], int]] = {
    "mnist-5k": (mnist_sample, 500),
    "digits": (sklearn_digits, 300),
}
SPLIT_SEED = 0  # validation is the same slice of train whatever the run's seed: scores of seeds stay comparable


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


class Batches:
    """One worker's share of every global batch, in the order of (seed, epoch); whole batches only.

    Worker r of W takes samples r, r + W, … of each batch, so every worker count sees the same global batches. A set
    smaller than a batch is one batch.
    """

    def __init__(
        self,
        arrays: Arrays,
        batch_size: int,
        *,
        seed: int,
        epoch: Callable[[], int],
        share: tuple[int, int],
        augment: Augment | None,
    ):
        self.images, self.labels = arrays
        self.batch_size = min(batch_size, len(self.labels))
        self.seed, self.epoch, self.augment = seed, epoch, augment
        self.rank, self.workers = share

    def __len__(self) -> int:
        return len(self.labels) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        state = np.random.SeedSequence((self.seed, self.epoch())).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state))
        order = torch.randperm(len(self.labels), generator=generator)
        noise = self.augment.draw(len(self.labels), generator) if self.augment else None
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            chosen = order[start + self.rank : start + self.batch_size : self.workers]
            batch = self.images[chosen], self.labels[chosen]
            yield (*batch, noise[chosen]) if noise is not None else batch


class InOrder:
    """One worker's share of a split for evaluation: every sample once, in the stored order."""

    def __init__(self, arrays: Arrays, share: tuple[int, int]):
        rank, workers = share
        self.images, self.labels = (array[rank::workers] for array in arrays)

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / EVAL_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for start in range(0, len(self.labels), EVAL_BATCH):
            yield self.images[start : start + EVAL_BATCH], self.labels[start : start + EVAL_BATCH]


class ImageData(LightningDataModule):
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
        super().__init__()
        self.data_name, self.in_shape, self.classes = name, tuple(in_shape), classes
        self.batch_size, self.val_size, self.augment = batch_size, val_size, augment
        self.folder, self.seed = Path(folder), seed
        self.labels = tuple(str(index) for index in range(classes))
        self.splits: dict[Split, Arrays] = {}

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
        """SHA-256 that stands for all of the data."""
        return embedded_digest(self.data_name) if self.data_name in EMBEDDED else store.digest(self.data_name)

    def describe(self) -> DataSet:
        self.setup()
        rows: dict[str, int] = {split: len(labels) for split, (_, labels) in self.splits.items()}
        return DataSet(self.data_name, self.digest(), rows)

    def train_dataloader(self) -> Batches:
        rank, workers = self._share()
        if self.batch_size % workers:
            raise ConfigError(f"data.batch_size: {self.batch_size} can't be shared equally by {workers} workers.")
        trainer = self.trainer
        return Batches(
            self.splits["train"],
            self.batch_size,
            seed=self.seed,
            epoch=lambda: trainer.current_epoch if trainer else 0,
            share=(rank, workers),
            augment=self.augment,
        )

    def val_dataloader(self) -> InOrder:
        return InOrder(self.splits["val"], self._share())

    def batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole split in its stored order, as the net takes it; for evaluation in one process."""
        self.setup()
        for batch in InOrder(self.splits[split], (0, 1)):
            yield self.on_after_batch_transfer(batch, 0)

    def pictures(self, split: Split) -> np.ndarray:
        """(N, H, W) in [0, 1]: the split as a person would look at it."""
        return self.splits[split][0].squeeze(1).numpy() / np.float32(255)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        images, labels, *noise = batch
        images = images.float().div_(255)
        return (self.augment(images, noise[0]) if self.augment and noise else images), labels

    def _share(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


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
