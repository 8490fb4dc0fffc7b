"""Labels of MNIST's train set that look wrong by confident learning, each judged by eye.

`python -m benchmarks.wrong_labels` names them. One judge saw each image magnified eight times, with its
label and the suspected class beside it. "wrong": the image plainly shows the suspected class; "ambiguous": it may be
taken for either class, or for none; "right": it plainly shows the class of its label.
"""

from typing import Literal, NamedTuple


class Judged(NamedTuple):
    """A train image by its number in the official order, its label, the suspected class, and the judgement."""

    number: int
    label: int
    suspected: int
    judgement: Literal["wrong", "ambiguous", "right"]


TRAIN_IMAGES = 60_000
JUDGED = (  # the most certain suspect first
    Judged(902, 9, 0, "ambiguous"),
    Judged(40144, 5, 3, "wrong"),
    Judged(9433, 7, 4, "ambiguous"),
    Judged(43454, 5, 3, "wrong"),
    Judged(10994, 3, 9, "wrong"),
    Judged(22779, 5, 6, "ambiguous"),
    Judged(59915, 4, 7, "wrong"),
    Judged(1604, 4, 9, "ambiguous"),
    Judged(36446, 6, 0, "ambiguous"),
    Judged(45352, 9, 7, "ambiguous"),
    Judged(47689, 3, 8, "ambiguous"),
    Judged(26504, 2, 7, "right"),
    Judged(30049, 9, 5, "wrong"),
    Judged(995, 7, 4, "ambiguous"),
    Judged(6448, 4, 6, "right"),
    Judged(56596, 4, 9, "ambiguous"),
    Judged(51944, 4, 9, "ambiguous"),
    Judged(18348, 8, 9, "right"),
    Judged(8729, 3, 7, "ambiguous"),
    Judged(7080, 3, 5, "wrong"),
    Judged(39683, 0, 6, "wrong"),
    Judged(41538, 6, 5, "ambiguous"),
    Judged(49212, 7, 2, "ambiguous"),
    Judged(43658, 3, 9, "right"),
    Judged(53216, 9, 0, "ambiguous"),
    Judged(26560, 7, 1, "wrong"),
    Judged(635, 5, 2, "right"),
    Judged(55496, 9, 7, "right"),
    Judged(50340, 3, 7, "ambiguous"),
    Judged(50698, 9, 0, "ambiguous"),
    Judged(49543, 8, 0, "right"),
    Judged(36760, 7, 2, "ambiguous"),
    Judged(35616, 6, 4, "ambiguous"),
    Judged(34404, 9, 8, "ambiguous"),
    Judged(53638, 5, 8, "ambiguous"),
    Judged(53806, 8, 9, "ambiguous"),
    Judged(25790, 4, 9, "ambiguous"),
    Judged(49026, 6, 2, "ambiguous"),
    Judged(19124, 8, 9, "ambiguous"),
    Judged(51248, 9, 4, "wrong"),
    Judged(22442, 2, 3, "right"),
    Judged(25678, 5, 6, "ambiguous"),
    Judged(44484, 8, 2, "right"),
    Judged(47479, 0, 2, "right"),
    Judged(47600, 7, 9, "right"),
    Judged(40977, 9, 7, "ambiguous"),
    Judged(36104, 9, 7, "right"),
    Judged(28422, 9, 4, "ambiguous"),
    Judged(25562, 9, 7, "right"),
    Judged(56228, 3, 8, "ambiguous"),
)
# As a check: the test labels that look wrong by the mean prediction of the same five nets.
TEST_SUSPECTS = (2597, 2654, 9729, 2130, 1014)
