"""Compare the evaluations in the working tree with the results of the last commit."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.actions.record import RESULT, evaluated
from pipeline.errors import DataError
from pipeline.evaluation.comparison import Difference, paired
from pipeline.runs import provenance, recorded, results, trail
from pipeline.types import PrimaryMetric

Verdict = Literal["identical", "equal", "different"]
ORDER: tuple[Verdict, ...] = ("identical", "equal", "different")
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
    mean: float  # over the committed seeds
    std: float  # over the committed seeds, 0 if there is one
    seeds: int
    measure: str
    steps: int  # the last step at which both have a trail; 0 without
    first_difference: int | None  # the first step of the trails that differs
    differs: dict[str, tuple[str, str]]  # aspects that differ, (committed, here)
    paired: Difference | None  # of accuracy, over the same test samples; None if those are not recorded, or identical


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


def worst(rows: Sequence[Comparison]) -> Comparison:
    """The comparison with the verdict that is furthest from identical."""
    return max(rows, key=lambda row: ORDER.index(row.verdict))


def _compare(name: str, root: Path) -> Comparison:
    experiment, _, seed = name.rpartition("-")
    folder, path = root / "evaluations" / experiment / seed, results.path_of(experiment, root)
    # Not the file in the working tree: `collect` has replaced it if a result has changed.
    text = provenance.committed_text(path, root)
    group: list[results.Result] = json.loads(text)["runs"] if text else []
    committed = next((run for run in group if str(run["seed"]) == seed), None)
    if not (folder / RESULT).is_file() or committed is None:
        where = folder / RESULT if committed else path
        raise DataError(f"{where}: no result of {name}. Evaluate it with `dvc repro evaluate@{name}`.")
    here = evaluated(folder, root)
    ours, theirs = PrimaryMetric.of(here["metrics"]), PrimaryMetric.of(committed["metrics"])
    if ours is None or theirs is None:
        raise DataError(f"{folder}: has no primary metric to compare. Evaluate with `dvc repro evaluate@{name}`.")
    values = [metric.value for run in group if (metric := PrimaryMetric.of(run["metrics"]))]
    mean, std = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    same = results.agree(here, committed)
    near = abs(ours.value - mean) <= max(MAX_DEVIATIONS * std, ROUNDING * math.fabs(theirs.value))
    verdict: Verdict = "identical" if same else "equal" if near else "different"
    then, now = (recorded.of_result(name, result) for result in (committed, here))
    trails = trail.compare(then.entries, now.entries)
    return Comparison(
        run=name,
        verdict=verdict,
        here=ours.value,
        committed=theirs.value,
        mean=mean,
        std=std,
        seeds=len(values),
        measure=f"{ours.name}{ours.unit}",
        steps=trails.steps if "trail" in committed else 0,
        first_difference=trails.first_difference if "trail" in committed else None,
        differs=recorded.differing(then.depends, now.depends),
        paired=None if same else _paired(here, committed),
    )


def _paired(here: results.Result, committed: results.Result) -> Difference | None:
    """The difference in accuracy over the same test samples; None if either does not record which are right."""
    ours, theirs = results.right_samples(here), results.right_samples(committed)
    if ours is None or theirs is None or here["truth_digest"] != committed["truth_digest"]:
        return None
    return paired(ours[None], theirs[None])


def line(row: Comparison) -> str:
    """The verdict with its numbers."""
    spread = f"{row.mean:.6g} ± {row.std:.2g} over {row.seeds} seeds" if row.seeds > 1 else "one seed"
    text = f"{row.run:32} {row.verdict:10} {row.measure} {row.here:.6g} here, {row.committed:.6g} committed ({spread})"
    if row.first_difference is not None:
        text += f"; weights differ from step {row.first_difference:,} on"
    if row.paired:
        low, high = 100 * row.paired.low, 100 * row.paired.high
        text += f"; paired over the test samples {100 * row.paired.value:+.2f} ({low:+.2f} to {high:+.2f}) points"
    if row.verdict != "identical" and row.differs:
        text += f"; {', '.join(row.differs)} differ{'s' * (len(row.differs) == 1)}"
    return text
