"""The division of one's own pictures: made once, kept while nothing that it depends on changes."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.images import folder_splits
from pipeline.data.images.folder_splits import FolderSplits
from pipeline.data.images.prepared import PreparedImages
from pipeline.errors import DataError
from pipeline.types import Split


class Watched(FolderSplits):
    """Counts divisions."""

    divisions = 0

    def _divide(self) -> dict[Split, np.ndarray]:
        Watched.divisions += 1
        return super()._divide()


@pytest.fixture(autouse=True)
def none_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watched, "divisions", 0)


def divide(cache: Path, count: int = 48, folds: int = 4, fold: int = 0) -> dict[Split, set[int]]:
    """Row numbers in each split of different pictures of two classes."""
    names, labels = tuple(map(str, range(count))), ("disc", "ring") * (count // 2)
    images = PreparedImages(np.zeros((count, 1, 1, 1), np.uint8), names, labels, np.arange(count), {}, "0")
    rows = Watched(cache, images, folds, fold).rows(cache)
    return {split: set(rows[split].tolist()) for split in rows}


def test_the_same_pictures_are_divided_once(tmp_path: Path) -> None:
    assert divide(tmp_path) == divide(tmp_path)
    assert Watched.divisions == 1


def test_other_pictures_folds_and_numbers_of_folds_are_divided_anew(tmp_path: Path) -> None:
    splits = [divide(tmp_path), divide(tmp_path, fold=1), divide(tmp_path, folds=3), divide(tmp_path, count=52)]
    assert Watched.divisions == 4
    assert [len(split["test"]) for split in splits] == [12, 12, 16, 13]
    assert not splits[0]["test"] & splits[1]["test"]


@pytest.mark.parametrize(("constant", "value"), [("VERSION", 0), ("SPLIT_SEED", 1), ("VAL_PARTS", 3)])
def test_a_change_of_the_code_divides_anew(
    constant: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = divide(tmp_path)
    monkeypatch.setattr(folder_splits, constant, value)
    after = divide(tmp_path)
    assert Watched.divisions == 2
    assert (after == before) is (constant == "VERSION")
    assert set.union(*after.values()) == set(range(48))


def test_a_split_left_without_a_class_is_an_error(tmp_path: Path) -> None:
    labels, groups = tuple("aaaaabbab"), np.array([0, 0, 1, 1, 2, 3, 4, 5, 5])  # the last two: one image, two labels
    images = PreparedImages(np.zeros((9, 1, 1, 1), np.uint8), labels, labels, groups, {}, "0")
    words = "expected images of every class in train, got none of a. Near-duplicates stay in one split"
    with pytest.raises(DataError, match=words):
        FolderSplits(Path("mine"), images, 2, 0).rows(tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
