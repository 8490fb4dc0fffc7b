"""Comparing the evaluations in the working tree with the committed results of the same runs."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.actions.record import RESULT
from pipeline.errors import DataError
from pipeline.runs import results
from pipeline.types import PrimaryMetric

Verdict = Literal["identical", "equal", "different"]
SPREADS = 3  # a score further from the committed mean than so many standard deviations of the seeds is different
ROUNDING = 1e-4  # of a score, where the committed seeds agree


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run: its weights and score here, against those committed.

    `identical`: the same weights and scores, bit for bit. `equal`: other weights, a headline score within 3 standard
    deviations of the committed seeds. `different`: neither.
    """

    run: str
    verdict: Verdict
    here: float  # the headline score, in its unit
    committed: float  # the same of the committed run
    std: float  # over the committed seeds, 0 if there is one
    seeds: int
    measure: str


def compare(names: Sequence[str], root: Path) -> list[Comparison]:
    """Compare runs, EXPERIMENT-SEED; without names, all that are evaluated here.

    Raises: DataError if a run is not evaluated here or not committed.
    """
    if not names:
        files = sorted((root / "evaluations").glob(f"*/*/{RESULT}"))
        names = [f"{file.parent.parent.name}-{file.parent.name}" for file in files]
    if not names:
        raise DataError(
            f"{root / 'evaluations'}: nothing is evaluated here. `dvc repro quick` evaluates six experiments."
        )
    return [_compare(name, root) for name in names]


def _compare(name: str, root: Path) -> Comparison:
    experiment, _, seed = name.rpartition("-")
    file = root / "evaluations" / experiment / seed / RESULT
    committed = results.find(name, root)
    if not file.is_file() or committed is None:
        where = file if committed else results.path_of(experiment, root)
        raise DataError(f"{where}: no result of {name}. `dvc repro evaluate@{name}` evaluates it here.")
    here = json.loads(file.read_text())
    ours, theirs = PrimaryMetric.of(here["metrics"]), PrimaryMetric.of(committed["metrics"])
    if ours is None or theirs is None:
        raise DataError(f"{file}: has no score to compare. `dvc repro evaluate@{name}` evaluates it again.")
    group = [PrimaryMetric.of(run["metrics"]) for run in results.runs_of(results.path_of(experiment, root))]
    values = [one.value for one in group if one]
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    same = all(here[key] == committed[key] for key in ("weights_digest", "metrics"))
    near = abs(ours.value - statistics.fmean(values)) <= max(SPREADS * std, ROUNDING * math.fabs(theirs.value))
    verdict: Verdict = "identical" if same else "equal" if near else "different"
    return Comparison(name, verdict, ours.value, theirs.value, std, len(values), f"{ours.name}{ours.unit}")
