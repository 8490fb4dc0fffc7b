"""The claims table: from committed results, or with what is missing trained first."""

from pathlib import Path
from typing import Any

from pipeline import claims
from pipeline.actions import models, record, train
from pipeline.types import Output

SEEDS = (0, 1, 2)


def table(root: Path) -> list[claims.Claim]:
    """A row a claim, from the results that are there."""
    return claims.table(record.committed_results(root))


def run_missing(out: Output, *, root: Path, verbose: bool = False) -> None:
    """Train, test and keep every experiment that a claim needs and that has no results, three seeds each."""
    for name in claims.missing(record.committed_results(root)):
        for seed in SEEDS:
            summary: dict[str, Any] = train.train(
                [f"experiment={name}", f"seed={seed}"], out, root=root, verbose=verbose
            )
            record.model(summary, root)
            details: dict[str, Any] = {}
            result = models.evaluate(str(root / "models" / f"{name}-{seed}"), "test", root=root, details=details)
            record.metrics(result, details, root)
