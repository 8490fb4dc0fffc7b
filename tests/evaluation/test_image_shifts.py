"""Shifts of images: by hand, and against numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline.evaluation.image_shifts import blurred, inverted, noisy, rotated, with_strokes

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shift", [rotated, noisy, blurred, inverted, with_strokes])
def test_a_shift_of_strength_0_changes_nothing(shift: object) -> None:
    assert callable(shift)
    assert torch.equal(shift(IMAGES, 0), IMAGES)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_a_right_angle_is_numpys_rotation(degrees: float, turns: int) -> None:
    expected = np.rot90(IMAGES.numpy(), turns, axes=(2, 3))
    np.testing.assert_allclose(rotated(IMAGES, degrees).numpy(), expected, atol=1e-5)


def test_a_rotated_photograph_that_is_not_square_keeps_its_proportions() -> None:
    wide = torch.zeros(1, 1, 9, 21)
    wide[..., 4, 7:14] = 1  # seven pixels in a row
    expected = torch.zeros(9, 21)
    expected[1:8, 10] = 1  # and in a column
    np.testing.assert_allclose(rotated(wide, 90)[0, 0].numpy(), expected.numpy(), atol=1e-5)


def test_noise_has_the_given_standard_deviation_and_stays_in_range() -> None:
    grey = torch.full((1, 1, 200, 200), 0.5)
    assert float(noisy(grey, 0.1).std()) == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noisy(grey, 0.1), noisy(grey, 0.1))
    strong = noisy(grey, 2)
    assert (float(strong.min()), float(strong.max())) == (0, 1)


def test_blur_is_scipys() -> None:
    expected = ndimage.gaussian_filter(IMAGES.numpy(), (0, 0, 0.8, 0.8), mode="nearest", radius=(0, 0, 3, 3))
    np.testing.assert_allclose(blurred(IMAGES, 10).numpy(), expected, atol=1e-6)  # 10 % of 8 pixels


def test_an_inverted_pixel_is_255_less_it() -> None:
    pixels = torch.tensor([0, 100, 255]).view(1, 1, 1, 3) / 255
    assert (inverted(pixels, 1) * 255).round().flatten().tolist() == [255, 155, 0]


def test_strokes_that_move_by_whole_pixels_are_scipys_dilation_and_erosion() -> None:
    grey = IMAGES[:, :1].numpy()
    for pixels, expected in ((1, ndimage.maximum_filter), (-1, ndimage.minimum_filter)):
        found = with_strokes(IMAGES[:, :1], pixels).numpy()
        np.testing.assert_allclose(found, expected(grey, size=(1, 1, 3, 3), mode="nearest"), atol=1e-6)


def test_a_stroke_that_moves_by_half_a_pixel_covers_half_of_the_next() -> None:
    stroke = torch.tensor([0.0, 0, 1, 1, 1, 0, 0]).expand(7, 7)[None, None]
    assert with_strokes(stroke, 0.5)[0, 0, 3].tolist() == [0, 0.5, 1, 1, 1, 0.5, 0]
    assert with_strokes(stroke, -0.5)[0, 0, 3].tolist() == [0, 0, 0.5, 1, 0.5, 0, 0]
