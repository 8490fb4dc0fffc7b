"""Data module of a user's own images in class folders, split without near-duplicates across splits."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data.batches import BatchedData, Batches, Order
from pipeline.data.cache import cached_folder
from pipeline.data.images.augment import Augmentation, Augmented
from pipeline.data.images.decode import ImageDecodeError, decode
from pipeline.data.images.folder_splits import FolderSplits
from pipeline.data.images.prepared import VERSION as DECODING
from pipeline.data.images.prepared import prepare
from pipeline.data.own.found import FEW, Found, found, shown_set_aside
from pipeline.errors import ConfigError, DataError
from pipeline.types import Split

# N images, B batch, C channel, H height, W width
DISPLAY_SIDE = 64  # pixels, about the side of an image on a page
FEATURE_BATCH = 50  # images in a forward pass of a frozen net


class OneView:
    """Choose one of the V views of each sample at random."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n,) random numbers in [0, 1) for `__call__`, one a sample."""
        return torch.rand(n, generator=generator)

    def __call__(self, views_BV: Tensor, noise_B: Tensor) -> Tensor:
        chosen_B = (noise_B * views_BV.shape[1]).long()
        return views_BV[torch.arange(len(views_BV)), chosen_B][:, None]


class ImageFolder(BatchedData):
    """Class folders as batches of (images_BCHW in [0, 1], labels_B); `path` is as in `pipeline.data.archive`.

    The splits are those of `FolderSplits`. Images are read from a memory-mapped cache, batch by batch.

    Raises: DataError for a path without images of two classes; ConfigError for a `fold` out of range.
    """

    def __init__(
        self,
        name: str,
        path: str,
        in_shape: Sequence[int],
        classes: int,
        batch_size: int,
        folds: int,
        fold: int,
        augment: Augmentation | None = None,
        *,
        folder: Path,
        seed: int = 0,
    ):
        super().__init__(name, batch_size, seed)
        if not 0 <= fold < folds:
            raise ConfigError(
                f"data.fold: expected 0 to {folds - 1}, as data.folds is {folds}; got {fold}. Set data.fold."
            )
        self.path = folder.parent / Path(path).expanduser()
        self.in_shape, self.classes, self.augment = tuple(in_shape), classes, augment
        self.folds, self.fold, self.cache = folds, fold, folder.parent / ".cache"
        self.views: np.ndarray | None = None  # (N, V, …): features of a frozen net for V views of each image

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        self.prepared = images = prepare(self.path, self.in_shape, self.cache)
        divided = FolderSplits(self.path, images, self.folds, self.fold)
        self.labels = divided.labels
        if len(self.labels) != self.classes:
            raise DataError(
                f"{self.path}: data.classes is {self.classes}, found {len(self.labels)}: {', '.join(self.labels)}. "
                "Leave data.classes out: it is counted."
            )
        truth = torch.from_numpy(divided.truth)
        self.splits |= {split: (rows, truth[rows]) for split, rows in divided.rows(self.cache).items()}

    def digest(self) -> str:
        self.setup()
        return self.prepared.digest

    def remarks(self) -> Iterator[str]:
        """Skipped files, near-duplicates and contradictions, to be shown before training."""
        self.setup()
        images = self.prepared
        yield from shown_set_aside(images.set_aside)
        yield from images.remarks
        if alike := len(images.groups) - len(set(images.groups.tolist())):
            sides = "near-duplicates stay in one split" if not images.splits else "the given splits are kept"
            yield f"duplicates  {alike:,} images are near-duplicates of others; {sides}"
        yield from self._leaks()
        if len(self.splits["train"][0]) < FEW:
            yield (
                f"few         {len(images.names):,} images are few: model=pretrained, which starts from ImageNet's "
                "weights, or more trainer.max_epochs helps"
            )

    def _leaks(self) -> Iterator[str]:
        """Remarks on given splits that hold near-duplicates of images of train, test also of validation."""
        groups = {split: self.prepared.groups[rows] for split, (rows, _) in self.splits.items()}
        earlier: list[Split] = ["train"]
        for split in ("val", "test") if self.prepared.splits else ():
            seen = np.isin(groups[split], np.concatenate([groups[each] for each in earlier]))
            if seen.any():
                share = f"{seen.sum():,} of {len(seen):,} {split} images"
                yield f"leak        {share} are near-duplicates of {' or '.join(earlier)} images"
            earlier.append(split)

    def found(self) -> Found:
        """The contents of the data, as `pipeline data check` prints it."""
        self.setup()
        truths = {split: truth for split, (_, truth) in self.splits.items()}
        return found(truths, self.labels, self.prepared.set_aside, self.remarks())

    def picture_reader(self) -> Callable[[Path], Tensor]:
        return self.read

    def read(self, file: Path) -> Tensor:
        """(1, C, H, W) in [0, 1]: an image file, decoded as the training images.

        Raises: DataError if it can't be decoded.
        """
        try:
            pixels, _ = decode(file.read_bytes(), file.name, self.in_shape)
        except (OSError, ImageDecodeError) as error:
            raise DataError(f"{file}: {error}. Give a JPEG or PNG.") from error
        return torch.from_numpy(pixels)[None].float() / 255

    def shuffled(self, **order: Unpack[Order]) -> Batches:
        augment = self.augment if self.views is None else OneView()
        if augment is None:
            return super().shuffled(**order)
        return Augmented(self.splits["train"], self.batch_size, augment, **order)

    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        rows, labels, *noise = batch
        places = rows.cpu().numpy()
        if self.views is not None:
            views_BV = torch.from_numpy(self.views[places]).to(rows.device)
            return (OneView()(views_BV, noise[0]) if noise else views_BV), labels
        images = torch.from_numpy(self.prepared.pixels[places]).to(rows.device).float().div_(255)
        return (self.augment(images, noise[0]) if self.augment and noise else images), labels

    def use_frozen_features(self, views: Callable[[Tensor], Tensor], digest: str) -> None:
        """Batches hold features of a frozen net from now on: (B, V, …), in training of one random view, (B, 1, …).

        `views` maps images to features, `digest` identifies the net in the cache.
        Raises: ConfigError if augmentation is configured.
        """
        if self.augment is not None:
            raise ConfigError(
                "data.augment: features of a frozen net are computed once for each image. Set data.augment=null."
            )
        self.views = self._features(views, digest)

    def frozen_features(
        self, split: Split, views: Callable[[Tensor], Tensor], digest: str
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of features (B, V, …) and labels (B,) of a split, in its stored order."""
        array = self._features(views, digest)
        for rows, labels in zip(*(tensor.split(FEATURE_BATCH) for tensor in self.splits[split]), strict=True):
            yield torch.from_numpy(array[rows.numpy()]), labels

    def _features(self, views: Callable[[Tensor], Tensor], digest: str) -> np.ndarray:
        """(N, V, …) features of all images, cached by the digests of the images and of the net."""
        self.setup()
        key = hashlib.sha256(f"{self.digest()} {self.in_shape} {DECODING} {digest}".encode()).hexdigest()[:16]
        folder = cached_folder(self.cache / "features" / key, partial(self._store_features, views))
        array: np.ndarray = np.load(folder / "array.npy", mmap_mode="c")
        return array

    @torch.inference_mode()
    def _store_features(self, views: Callable[[Tensor], Tensor], folder: Path) -> None:
        chunks = torch.from_numpy(self.prepared.pixels).split(FEATURE_BATCH)
        shape = len(self.prepared.pixels), *views(chunks[0][:1].float().div(255)).shape[1:]
        array = np.lib.format.open_memmap(folder / "array.npy", "w+", np.float32, shape)
        for number, chunk in enumerate(chunks):
            array[number * FEATURE_BATCH : (number + 1) * FEATURE_BATCH] = views(chunk.float().div(255)).numpy()
        array.flush()

    def inputs(self, split: Split, places: Sequence[int]) -> Tensor:
        """(N, C, H, W) images in [0, 1] of a split, by their indices in it."""
        rows = self.splits[split][0][list(places)].numpy()
        return torch.from_numpy(self.prepared.pixels[rows]).float().div_(255)

    def pictures(self, split: Split) -> np.ndarray:
        """(N, h, w, 3) images of a split in [0, 1], reduced for display."""
        step = max(1, max(self.in_shape[1:]) // DISPLAY_SIDE)
        images = [
            F.avg_pool2d(chunk, step) for chunk in self.inputs(split, range(len(self.splits[split][0]))).split(100)
        ]
        shown: np.ndarray = torch.cat(images).permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
        return shown
