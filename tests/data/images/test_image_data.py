"""Images: their splits, their augmentation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.data.batches import Shards
from pipeline.data.images.augment import Augment, Augmented
from pipeline.data.images.image_data import ImageData, stratified_split
from pipeline.errors import ConfigError, DataError

NOTHING = Augment(rotate_deg=0, shift_px=0, scale=0, shear=0, elastic_px=0)


def numbered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that are told apart by their label."""
    return torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=300), st.data())
def test_a_stratified_slice_takes_every_class_in_proportion(labels: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(labels) - 1))
    classes = torch.tensor(labels)
    kept, out = stratified_split(classes, size)
    assert sorted([*kept.tolist(), *out.tolist()]) == list(range(len(labels)))
    assert len(out) == size
    share = size / len(labels)
    for label in set(labels):
        assert abs(int((classes[out] == label).sum()) - share * labels.count(label)) <= 1


def test_augmentation_without_amounts_changes_nothing() -> None:
    images = torch.rand(3, 1, 28, 28)
    noise = NOTHING.draw(3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(NOTHING(images, noise), images, atol=1e-5, rtol=0)


def test_a_shift_moves_the_image_by_that_many_pixels() -> None:
    images = torch.rand(1, 1, 28, 28)
    noise = torch.zeros(1, 6 + 2 * Augment.GRID**2)
    noise[0, 1] = 2  # sampled two pixels to the right: the image moves two to the left
    moved = NOTHING(images, noise)
    torch.testing.assert_close(moved[..., :26], images[..., 2:], atol=1e-5, rtol=0)
    assert moved[..., 26:].abs().max() < 1e-5


def test_distortion_equals_torchs_own_affine_grid_and_interpolation() -> None:
    augment = Augment(rotate_deg=20, shift_px=3, scale=0.2, shear=0.2, elastic_px=1.0)
    images = torch.rand(4, 1, 20, 20)
    noise = augment.draw(4, torch.Generator().manual_seed(1))
    angle, right, down, wider, taller, shear = noise[:, :6].unbind(1)
    theta = torch.zeros(4, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1], theta[:, 0, 2] = (1 + wider) * angle.cos(), shear - angle.sin(), right / 10
    theta[:, 1, 0], theta[:, 1, 1], theta[:, 1, 2] = angle.sin() + shear, (1 + taller) * angle.cos(), down / 10
    bend = F.interpolate(noise[:, 6:].view(4, 2, 4, 4) / 10, (20, 20), mode="bilinear", align_corners=True)
    grid = F.affine_grid(theta, [4, 1, 20, 20], align_corners=False) + bend.permute(0, 2, 3, 1)
    expected = F.grid_sample(images, grid, align_corners=False)
    torch.testing.assert_close(augment(images, noise), expected, atol=1e-5, rtol=1e-4)


def test_a_sample_is_distorted_the_same_whatever_the_number_of_workers() -> None:
    def noises(shards: Shards) -> dict[int, list[float]]:
        augment = Augment(rotate_deg=10, shift_px=2, scale=0.1, shear=0.1, elastic_px=0.7)
        batches = Augmented(numbered(32), 8, augment, seed=3, epoch=lambda: 1, shards=shards)
        return {
            int(label): row.tolist()
            for batch in batches
            for _, labels, noise in (shard.batch for shard in batch)
            for label, row in zip(labels, noise, strict=True)
        }

    one, two = (Shards.of_worker(2, rank, 2) for rank in range(2))
    assert noises(Shards.of_worker(2, 0, 1)) == noises(one) | noises(two)


def make(folder: Path, val_size: int = 16) -> ImageData:
    return ImageData("mnist", [1, 28, 28], 10, batch_size=16, val_size=val_size, folder=folder / "data")


def test_images_become_floats_from_0_to_1_and_keep_their_labels(tiny_mnist: Path) -> None:
    data = make(tiny_mnist)
    images, labels = next(data.batches("test"))
    assert images.shape == (40, 1, 28, 28)
    assert images.dtype == torch.float32
    assert images.max() == 1
    rows = images[:, 0].mean(2).argmax(1)
    assert torch.equal((rows - 4) // 2, labels)


def test_the_official_test_split_stays_official_and_validation_is_part_of_train(tiny_mnist: Path) -> None:
    assert make(tiny_mnist).describe().rows == {"train": 48, "val": 16, "test": 40}


def test_changed_bytes_are_refused(tiny_mnist: Path) -> None:
    path = tiny_mnist / "data/mnist/train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected"):
        make(tiny_mnist).setup()


def test_a_validation_split_that_leaves_nothing_is_refused(tiny_mnist: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.val_size: 64 of 64"):
        make(tiny_mnist, val_size=64).setup()


def test_the_embedded_sample_is_400_50_50_of_each_digit(tmp_path: Path) -> None:
    data = ImageData("mnist-5k", [1, 28, 28], 10, 128, 500, folder=tmp_path)
    assert data.describe().rows == {"train": 4000, "val": 500, "test": 500}
    for split, each in (("train", 400), ("val", 50), ("test", 50)):
        assert np.bincount(data.splits[split][1].numpy()).tolist() == [each] * 10  # type: ignore[index]


def test_the_digits_of_scikit_learn_are_8x8_stratified_and_always_the_same(tmp_path: Path) -> None:
    data = ImageData("digits", [1, 8, 8], 10, 16, 100, folder=tmp_path)
    assert data.describe().rows == {"train": 1397, "val": 100, "test": 300}
    assert (
        data.describe().digest == ImageData("digits", [1, 8, 8], 10, 16, 100, folder=tmp_path, seed=1).describe().digest
    )
    images, labels = data.splits["test"]
    assert images.shape == (300, 1, 8, 8)
    assert images.min() == 0
    assert images.max() == 255
    assert np.bincount(labels.numpy()).min() >= 29  # of 174 to 183 of each digit, a sixth
