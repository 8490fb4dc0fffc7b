"""The best validation, by hand."""

import pytest

from pipeline.runs.best import best_validation
from pipeline.types import Event


def epochs(name: str, *values: float) -> list[Event]:
    steps: list[Event] = [{"step": step, "epoch": 0} for step in range(3)]
    ends: list[Event] = [{"epoch": number, "metrics": {f"val/{name}": value}} for number, value in enumerate(values)]
    return [*steps, *ends]


@pytest.mark.parametrize(
    ("name", "best", "epoch"), [("accuracy", 0.9, 2), ("exact_match", 0.9, 2), ("perplexity", 0.3, 3), ("loss", 0.3, 3)]
)
def test_the_best_epoch_is_the_first_with_the_highest_fraction_or_the_lowest_loss(
    name: str, best: float, epoch: int
) -> None:
    assert best_validation(epochs(name, 0.5, 0.9, 0.3, 0.9)) == {f"val/best_{name}": best, "val/best_epoch": epoch}


def test_a_run_without_validation_has_none() -> None:
    assert best_validation(epochs("accuracy")) == {}
