"""Foreign images are told from a model's own, and models that can't tell them say so."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.actions import foreign
from pipeline.errors import ConfigError
from pipeline.evaluation.outliers import OutlierDetector
from pipeline.inference.foreign import letters_metrics
from pipeline.inference.predictor import ImageClassifier
from pipeline.runs import lookup


class Ink(nn.Module):
    """A net whose only feature is an image's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(1, 2)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BC: torch.Tensor = self.last(images_BCHW.mean(dim=(1, 2, 3))[:, None])
        return logits_BC


def model(detector: OutlierDetector | None, side: int = 28) -> ImageClassifier:
    config = {"name": "ink", "data": {"in_shape": [1, side, side]}, "labels": ["a", "b"]}
    return ImageClassifier(Ink(), config, {}, outliers=detector)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SimpleNamespace(batches=lambda split: [(torch.full((10, 1, 28, 28), 0.9), torch.zeros(10))])
    monkeypatch.setattr(foreign, "build_data", lambda *_: data)
    monkeypatch.setattr(lookup, "model_dir", lambda run, root: root)


def test_letters_are_told_from_images_full_of_ink(own: None, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = OutlierDetector(np.array([[0.9]]), np.eye(1), threshold=0.01)
    monkeypatch.setattr(foreign, "load", lambda _: model(detector))
    found = foreign.compare_with_foreign("run", "test", "letters", root=Path())
    assert (found.auroc, found.marked, found.false_alarms, found.own) == (1.0, 1.0, 0.0, 10)
    assert "AUROC          1.0000" in str(found)


@pytest.mark.parametrize(
    ("digits", "detects", "measured"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_letters_are_compared_with_digits_alone_and_by_a_detector(digits: bool, detects: bool, measured: bool) -> None:
    batches = [(torch.full((10, 1, 28, 28), 0.9), torch.zeros(10))]
    data: Any = SimpleNamespace(batches=lambda split: batches, centred_digits=digits)
    detector = OutlierDetector(np.array([[0.9]]), np.eye(1), threshold=0.01)
    found = letters_metrics(model(detector if detects else None), data, "test")
    assert found == ({"ood_auroc_letters": 1.0} if measured else {})


@pytest.mark.parametrize(
    ("predictor", "message"),
    [
        (model(None), "can't tell foreign images"),
        (model(OutlierDetector(np.zeros((1, 1)), np.eye(1), 1.0), side=32), "takes other images"),
    ],
)
def test_a_model_that_can_not_be_compared_says_why(
    predictor: Any, message: str, own: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "load", lambda _: predictor)
    with pytest.raises(ConfigError, match=message):
        foreign.compare_with_foreign("run", "test", "letters", root=Path())
