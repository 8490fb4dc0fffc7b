"""Compare the evaluations in the working tree with the committed results of the same runs."""

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
MAX_DEVIATIONS = 3  # from the committed mean, in standard deviations over the seeds, for a metric to be equal
ROUNDING = 1e-4  # relative tolerance where all committed seeds have the same value


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run's weights and primary metric in the working tree and in the committed results.

    `identical`: the same weights, and each metric that both have, bit for bit. `equal`: other weights, and a primary
    metric within 3 standard deviations of the committed seeds' mean. `different`: neither.
    """

    run: str
    verdict: Verdict
    here: float  # the primary metric, in its unit
    committed: float  # the same metric of the committed run
    std: float  # over the committed seeds, 0 if there is one
    seeds: int
    measure: str


def compare(names: Sequence[str], root: Path) -> list[Comparison]:
    """Compare runs named EXPERIMENT-SEED; without names, all runs with an evaluation in evaluations/.

    Raises: DataError if a run has no evaluation or no committed result.
    """
    if not names:
        files = sorted((root / "evaluations").glob(f"*/*/{RESULT}"))
        names = [f"{file.parent.parent.name}-{file.parent.name}" for file in files]
    if not names:
        raise DataError(f"{root / 'evaluations'}: no evaluations. Make some with `dvc repro quick`.")
    return [_compare(name, root) for name in names]


def _compare(name: str, root: Path) -> Comparison:
    experiment, _, seed = name.rpartition("-")
    file = root / "evaluations" / experiment / seed / RESULT
    committed = results.find(name, root)
    if not file.is_file() or committed is None:
        where = file if committed else results.path_of(experiment, root)
        raise DataError(f"{where}: no result of {name}. Evaluate it with `dvc repro evaluate@{name}`.")
    here = json.loads(file.read_text())
    ours, theirs = PrimaryMetric.of(here["metrics"]), PrimaryMetric.of(committed["metrics"])
    if ours is None or theirs is None:
        raise DataError(f"{file}: has no primary metric to compare. Evaluate again with `dvc repro evaluate@{name}`.")
    group = [PrimaryMetric.of(run["metrics"]) for run in results.runs_of(results.path_of(experiment, root))]
    values = [metric.value for metric in group if metric]
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    same = results.agree(here, committed)
    near = abs(ours.value - statistics.fmean(values)) <= max(MAX_DEVIATIONS * std, ROUNDING * math.fabs(theirs.value))
    verdict: Verdict = "identical" if same else "equal" if near else "different"
    return Comparison(name, verdict, ours.value, theirs.value, std, len(values), f"{ours.name}{ours.unit}")
