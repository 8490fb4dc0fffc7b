"""Why a training loss stands above the validation loss: checked against torch's own loss."""

import math

import pytest
import torch
from torch.nn import functional as F

from pipeline.report import losses


@pytest.mark.parametrize(("smoothing", "classes"), [(0.05, 10), (0.05, 2), (0.2, 3)])
def test_no_prediction_costs_less_than_the_smoothed_minimum(smoothing: float, classes: int) -> None:
    smoothed_K = torch.full((classes,), smoothing / classes, dtype=torch.double)
    smoothed_K[0] += 1 - smoothing
    best = F.cross_entropy(smoothed_K.log()[None], torch.tensor([0]), label_smoothing=smoothing)
    assert losses.smoothed_minimum(smoothing, classes) == pytest.approx(float(best))
    surer = F.cross_entropy(2 * smoothed_K.log()[None], torch.tensor([0]), label_smoothing=smoothing)
    assert surer > best


def test_a_training_loss_stands_above_only_if_it_does_at_the_end_of_every_seed() -> None:
    above, below = {"train/loss": 0.4, "val/loss": 0.1}, {"train/loss": 0.1, "val/loss": 0.4}
    assert losses.stands_above([[below, above], [above]])
    assert not losses.stands_above([[above], [above, below]])
    assert not losses.stands_above([[{"train/loss": 1.0}]])
    assert not losses.stands_above([])


def test_the_explanation_names_what_the_configuration_has_and_nothing_else() -> None:
    config = {"model": {"label_smoothing": 0.05, "net": {"layers": [{"dropout": 0.3}]}}, "data": {"augment": {"x": 1}}}
    whole = losses.explanation(config, 10)
    least = -(0.955 * math.log(0.955) + 9 * 0.005 * math.log(0.005))  # by hand
    assert f"label smoothing of 0.05 (with 10 classes, even a perfect prediction costs {least:.2f})" in whole
    assert "dropout, randomly changed images and the weights of the whole epoch" in whole
    plain = losses.explanation({"model": {"label_smoothing": 0, "net": {"dropout": 0.0}}, "data": {"augment": None}}, 2)
    assert "includes the weights of the whole epoch, not only its last;" in plain
