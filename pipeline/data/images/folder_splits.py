"""The splits of images in class folders: those that the data brings, else stratified folds of near-duplicate groups."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import SPLIT_SEED
from pipeline.data.cache import cached_tensor
from pipeline.data.images.prepared import PreparedImages
from pipeline.errors import DataError
from pipeline.types import Split

# N images
VERSION = 2  # raised when the code below would divide the same images differently
SPLITS: tuple[Split, ...] = get_args(Split)
VAL_PARTS = 10  # validation is one of ten parts of what is not test


class FolderSplits:
    """Test is fold number `fold` of `folds`, validation a tenth of the rest, where the data brings none.

    Both are stratified by class, and near-duplicates stay in one split. `where` is named in errors.
    """

    def __init__(self, where: Path, images: PreparedImages, folds: int, fold: int):
        self.where, self.given, self.groups = where, np.array(images.splits, str), images.groups
        self.labels = tuple(sorted(set(images.labels)))
        self.truth = np.array([self.labels.index(label) for label in images.labels])
        self.folds, self.fold = folds, fold

    def rows(self, cache: Path) -> dict[Split, Tensor]:
        """Row numbers of each split, cached by all that they depend on: scikit-learn takes a millisecond an image.

        Raises: DataError for a class that has too few images, or none in a split.
        """
        code = (VERSION, SPLIT_SEED, VAL_PARTS, version("scikit-learn"))
        parts = f"{code} {self.folds} {self.fold} {self.given.tolist()}".encode()
        key = hashlib.sha256(self.truth.tobytes() + self.groups.tobytes() + parts).hexdigest()[:16]
        split_N = cached_tensor(cache / "splits" / f"{key}.safetensors", "split", self._split_of_each)
        return {split: (split_N == number).nonzero()[:, 0] for number, split in enumerate(SPLITS)}

    def _split_of_each(self) -> Tensor:
        """(N,) places in `SPLITS`."""
        split_N = torch.empty(len(self.truth), dtype=torch.uint8)
        for split, rows in self._divide().items():
            split_N[torch.from_numpy(rows)] = SPLITS.index(split)
        return split_N

    def _divide(self) -> dict[Split, np.ndarray]:
        given = {split: np.flatnonzero(self.given == split) for split in SPLITS if split in self.given}
        self._check_classes(given)
        rest = given.get("train", np.arange(len(self.truth)))
        if "test" not in given:
            rest, given["test"] = self._parts(rest, self.folds)[self.fold]
        if "val" not in given:
            smallest = min(len(set(self.groups[rest][self.truth[rest] == place])) for place in range(len(self.labels)))
            rest, given["val"] = self._parts(rest, max(2, min(VAL_PARTS, smallest)))[0]
        divided: dict[Split, np.ndarray] = {"train": rest, "val": given["val"], "test": given["test"]}
        self._check_classes(divided)
        return divided

    def _check_classes(self, splits: dict[Split, np.ndarray]) -> None:
        """Raises: DataError if a split lacks a class."""
        for split, rows in splits.items():
            if lacking := sorted(set(range(len(self.labels))) - set(self.truth[rows].tolist())):
                names = ", ".join(self.labels[place] for place in lacking)
                remedy = (
                    "Add some, or put all class folders into one folder, which is split then."
                    if split in self.given
                    else "Near-duplicates stay in one split: add different images, or set another data.folds."
                )
                raise DataError(
                    f"{self.where}: expected images of every class in {split}, got none of {names}. {remedy}"
                )

    def _parts(self, rows: np.ndarray, parts: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """(rest, part) of the rows for each of the stratified parts."""
        from sklearn.model_selection import StratifiedGroupKFold

        truth, groups = self.truth[rows], self.groups[rows]
        for place, name in enumerate(self.labels):
            different = len(set(groups[truth == place]))
            if different < parts:
                raise DataError(
                    f"{self.where}: expected at least {parts} different images of {name} to split, got {different} "
                    "(near-duplicates count once). Add images, or set a smaller data.folds."
                )
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=SPLIT_SEED)
        return [(rows[rest], rows[part]) for rest, part in splitter.split(rows, truth, groups)]
