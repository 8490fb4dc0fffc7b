"""The table of the lecture's claims, from committed results; missing ones can be trained first."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.actions import evaluate, record, train
from pipeline.report import claims, gradient_check
from pipeline.runs import results
from pipeline.types import Console

if TYPE_CHECKING:
    from torch import Tensor

SEEDS = (0, 1, 2)


def table(root: Path) -> list[claims.Claim]:
    """A row for each claim, from the committed results."""
    return claims.table(results.committed(root), partial(gradient_check.cached, root / ".cache"))


def run_missing(console: Console, *, root: Path, verbose: bool = False) -> None:
    """Train, evaluate and record three seeds of every experiment that a claim needs and that has no results."""
    for name in claims.missing(results.committed(root)):
        for seed in SEEDS:
            summary = train.train([f"experiment={name}", f"seed={seed}"], console, root=root, verbose=verbose)
            details: dict[str, Any] = {}
            predictions: dict[str, Tensor] = {}
            model_dir = record.model(summary, root)
            result = evaluate.evaluate(str(model_dir), "test", root=root, details=details, predictions=predictions)
            record.evaluation(result, details, predictions, model_dir, root, None)
        record.collect(name, root)
