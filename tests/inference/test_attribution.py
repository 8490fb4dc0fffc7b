"""What an answer rests on, against a classifier that is known to look at one place."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.evaluation.classification import log_odds
from pipeline.inference import attribution
from pipeline.inference.attribution import region_effects
from pipeline.inference.predictor import ImageClassifier


class Bright:
    """Says how sure it is of the second class by how bright the upper left fifth of a picture is."""

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        seen = images[:, :, :4, :4].mean(dim=(1, 2, 3))
        return torch.stack([1 - seen, seen], dim=1)


def test_an_answer_rests_on_the_part_of_the_picture_that_was_looked_at() -> None:
    image = torch.zeros(3, 20, 20)
    image[:, :4, :4] = 0.9
    bright: Any = Bright()
    effects = region_effects(bright, image)
    mean = 0.9 / 25
    expected = np.log(0.9 / 0.1) - np.log(mean / (1 - mean))
    assert effects[0, 0] == pytest.approx(expected, rel=1e-4)
    assert np.abs(effects.ravel()[1:]).max() < 1e-6


class Sum(nn.Module):
    """The logits of two classes: a constant, and the sum of the pixels in the top left corner."""

    def __init__(self, constant: float):
        super().__init__()
        self.constant = constant

    def forward(self, images: Tensor) -> Tensor:
        corner = images[:, 0, :2, :2].sum(dim=(1, 2))
        return torch.stack([self.constant + 0 * corner, corner], dim=1)


LINEAR = ImageClassifier(Sum(0), {}, {})


class Counter:
    """Log-odds of praise: two for each good, minus one for each bad."""

    def text_probabilities(self, texts: Any) -> np.ndarray:
        odds = np.array([2.0 * text.split().count("good") - text.split().count("bad") for text in texts])
        positive = 1 / (1 + np.exp(-odds))
        return np.stack([1 - positive, positive], axis=1)


COUNTER: Any = Counter()


def test_covering_costs_what_stood_there() -> None:
    image = torch.zeros(1, 6, 6)
    image[0, 0, 0] = 3
    lost = attribution.patch_occlusion(LINEAR, image, 1, patch=1)
    assert abs(lost[0, 0] - 3) < 1e-4
    np.testing.assert_allclose(lost.flatten()[1:], 0, atol=1e-6)
    np.testing.assert_allclose(attribution.patch_occlusion(LINEAR, image, 0, patch=1), -lost, atol=1e-6)


def test_covering_tells_something_where_the_probability_is_all_but_one() -> None:
    image = torch.zeros(1, 6, 6)
    image[0, 0, 0] = 3
    lost = attribution.patch_occlusion(ImageClassifier(Sum(-200), {}, {}), image, 1, patch=1)
    assert abs(lost[0, 0] - 3) < 1e-4


def test_a_word_adds_what_the_answer_lacks_without_it() -> None:
    after, adds = attribution.word_occlusion(COUNTER, ["good", "and", "bad"])
    np.testing.assert_allclose(log_odds(after), [2, 2, 1], atol=1e-6)
    np.testing.assert_allclose(adds, [2, 0, -1], atol=1e-6)
