"""What a classifier learns from images that are handed to it as drawn ones, held against sets whose answer is known."""

from pathlib import Path

import pytest
import torch

from pipeline.config import build_data, load_config, resolve
from pipeline.evaluation.classification_accuracy_score import classification_accuracy_score


def scored(folder: Path, shift: int, kept: slice = slice(None)) -> float:
    """Taught on scikit-learn's train digits, every label moved up by `shift`; asked about its test digits."""
    config = resolve(load_config("experiment=digits_mlp"))
    data = build_data(config, folder)
    data.setup()
    images, labels = data.splits["train"]
    drawn = images[kept].float().div(255)
    return classification_accuracy_score(config, drawn, (labels[kept] + shift) % 10, data.batches("test"))


def test_what_real_digits_teach_is_read_and_what_wrong_classes_teach_is_not(tmp_path: Path) -> None:
    assert scored(tmp_path, 0) > 0.9
    assert scored(tmp_path, 1) < 0.05


def test_few_images_teach_less_and_the_same_ones_teach_the_same(tmp_path: Path) -> None:
    few = scored(tmp_path, 0, slice(48))
    assert few == scored(tmp_path, 0, slice(48))
    assert few < scored(tmp_path, 0)


def test_the_generators_of_what_runs_next_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    scored(tmp_path, 0, slice(48))
    assert torch.rand(2).tolist() == pytest.approx(expected.tolist(), abs=0)
