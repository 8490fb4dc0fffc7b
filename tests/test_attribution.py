"""What an answer rests on, against a classifier that is known to look at one place."""

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.attribution import region_effects


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
