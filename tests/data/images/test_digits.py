"""A drawing becomes a digit as MNIST's makers would have made it: held against their own digits."""

import numpy as np
import pytest

from pipeline.data.images.digits import centred
from pipeline.data.images.idx import mnist_sample
from pipeline.errors import DataError

REAL = mnist_sample()[0][::50]  # a hundred, ten of each class


def test_a_real_digit_stays_as_it_is() -> None:
    same = [np.array_equal(centred(digit), digit) for digit in REAL]
    assert np.mean(same) >= 0.99  # one in a thousand of MNIST's has a box of 19


@pytest.mark.parametrize("times", [3, 10])
def test_a_real_digit_drawn_larger_anywhere_on_a_page_comes_back(times: int) -> None:
    for number, digit in enumerate(REAL):
        page = np.zeros((400, 500), np.uint8)
        large = digit.repeat(times, axis=0).repeat(times, axis=1)
        top, left = (7 * number) % 120, (13 * number) % 220
        page[top : top + len(large), left : left + len(large)] = large
        difference = np.abs(centred(page).astype(float) - digit).mean()
        moved = np.abs(np.roll(digit, 1, axis=1).astype(float) - digit).mean()
        assert difference < moved / 4


def test_ink_fills_a_box_of_20_around_its_centre_of_mass() -> None:
    page = np.zeros((90, 90), np.uint8)
    page[10:70, 20:30] = 255  # a stroke 60 high and 10 wide becomes 20 x 3
    digit = centred(page)
    rows, columns = np.nonzero(digit)
    assert (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) == (20, 3)
    assert abs((digit.sum(axis=1) @ np.arange(28)) / digit.sum() - 14) <= 0.5
    assert abs((digit.sum(axis=0) @ np.arange(28)) / digit.sum() - 14) <= 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (28, 28), (2000, 3)])
def test_a_dot_a_line_and_a_full_page_are_digits_of_28_by_28(shape: tuple[int, int]) -> None:
    digit = centred(np.full(shape, 255, np.uint8))
    assert digit.shape == (28, 28)
    assert digit.max() == 255


def test_ink_that_is_all_on_one_side_is_cut_at_the_edge_and_not_wrapped() -> None:
    page = np.full((200, 200), 1, np.uint8)
    page[:10, :10] = 255
    assert centred(page).shape == (28, 28)


def test_an_empty_page_is_refused() -> None:
    with pytest.raises(DataError, match="nothing is drawn"):
        centred(np.zeros((28, 28), np.uint8))
