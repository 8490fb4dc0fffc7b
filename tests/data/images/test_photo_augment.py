"""Augmentation of photographs keeps what it must and changes what it should."""

import pytest
import torch

from pipeline.data.images.photo_augment import PhotoAugment

STILL = {"min_area": 1.0, "max_aspect_ratio": 1.0, "rotate_deg": 0.0, "brightness": 0.0, "saturation": 0.0}


def noise(**chosen: float) -> torch.Tensor:
    """One sample's numbers, all of them in the middle but those given."""
    names = ["area", "ratio", "angle", "right", "down", "mirror", "bright", "contrast", "saturation", "x", "y"]
    return torch.tensor([[chosen.get(name, 1.0 if name == "mirror" else 0.0) for name in names]])


def test_with_nothing_to_change_pictures_stay_or_are_mirrored() -> None:
    images, still = torch.rand(2, 3, 8, 8), PhotoAugment(**STILL)
    torch.testing.assert_close(still(images, noise().repeat(2, 1)), images)
    torch.testing.assert_close(still(images, noise(mirror=-0.3).repeat(2, 1)), images.flip(3))


def test_a_picture_that_is_rotated_and_mirrored_is_the_rotated_one_mirrored() -> None:
    images = torch.rand(1, 3, 8, 8)
    augment, change = PhotoAugment(**{**STILL, "rotate_deg": 30.0, "max_aspect_ratio": 1.5}), {"angle": 0.8, "ratio": 1}
    rotated, mirrored = (augment(images, noise(**change, mirror=mirror)) for mirror in (1.0, -1.0))
    torch.testing.assert_close(mirrored, rotated.flip(3))


def test_the_smallest_cut_out_at_the_corner_is_that_corner_enlarged() -> None:
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8:, 8:] = torch.arange(8.0)
    cut = PhotoAugment(**{**STILL, "min_area": 0.25})(image, noise(area=1, right=1, down=1))
    assert cut.shape == image.shape
    torch.testing.assert_close(cut[0, 0, 8, 1:15:2], torch.arange(7.0) + 0.25)  # between the pixels' centres


@pytest.mark.parametrize("name", ["bright", "contrast", "saturation"])
def test_light_and_colours_change_by_as_much_as_is_allowed(name: str) -> None:
    images = torch.rand(1, 3, 8, 8)
    relit = PhotoAugment(**{**STILL, "brightness": 0.2, "saturation": 0.5})(images, noise(**{name: 1}))
    mean, grey = images.mean(), images.mean(dim=1, keepdim=True)
    expected = {
        "bright": images + 0.1,
        "contrast": mean + 1.2 * (images - mean),
        "saturation": grey + 1.5 * (images - grey),
    }
    torch.testing.assert_close(relit, expected[name])


def test_a_grey_square_of_the_given_side_is_cut_out() -> None:
    pierced = PhotoAugment(**STILL, erase=0.5)(torch.ones(1, 3, 8, 8), noise())
    assert (pierced == 0.5).sum() == 3 * 4 * 4
    assert (pierced[:, :, 2:6, 2:6] == 0.5).all()


def test_the_numbers_drawn_differ_by_sample_and_repeat_with_the_generator() -> None:
    augment, images = PhotoAugment(0.3, erase=0.3), torch.rand(4, 3, 16, 16)
    one, again = (augment.draw(4, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.abs().max() <= 1
    together = augment(images, one)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(augment(images[2:3], one[2:3]), together[2:3])
