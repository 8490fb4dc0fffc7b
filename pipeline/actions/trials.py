"""Trials of a sweep that have ended: their scores, lines of progress, the best one, and their figure."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import LaunchError
from pipeline.runs import events, records
from pipeline.runs.records import RunRecord, TrialFacts
from pipeline.tracking.run import log_end
from pipeline.types import PrimaryMetric

ENDED = ("finished", "stopped early")


def record_end(folder: Path, epochs: int, error: str | None) -> None:
    """Store a trial's end, in the event log before the record: a resumed sweep reads the record."""
    measure = _measure(folder, epochs)
    complete = (folder / "model").is_dir()
    status = "failed" if error or not measure else "finished" if complete else "stopped early"
    facts: RunRecord = {
        "status": status,
        "epochs": epochs,
        "error": error or (None if measure else "its validation has no score that trials are compared by"),
    }
    if measure:
        facts |= {"score": measure.value, "measure": str(measure)}
    log_end(folder, tags={"outcome": status}, status="FAILED" if status == "failed" else "FINISHED")
    records.update(folder, **facts)


def _measure(folder: Path, epochs: int) -> PrimaryMetric | None:
    """A trial's score on validation after so many epochs; None if it has none."""
    metrics = [
        event["metrics"] for event in events.read(folder)[0] if "metrics" in event and event["epoch"] + 1 == epochs
    ]
    return PrimaryMetric.of(metrics[-1], "val") if metrics else None


def shown(trial: RunRecord) -> TrialFacts:
    """A trial's facts in the sweep's summary; None for those that it does not have yet."""
    return {
        "name": trial["name"],
        "overrides": trial["overrides"],
        "status": trial["status"],
        "epochs": trial.get("epochs"),
        "score": trial.get("score"),
        "error": trial.get("error"),
    }


def line(trials: Sequence[RunRecord], trial: RunRecord) -> str:
    """One trial's result, and the progress of the sweep."""
    ended = [record for record in trials if "epochs" in record]
    head = f"trial {len(ended)}/{len(trials)}".ljust(12)
    overrides = shlex.join(trial["overrides"])
    if trial["status"] == "failed":
        return f"{head}FAILED  {overrides}: {trial['error']}"
    leader = max((record["score"] for record in ended if record["status"] == "finished"), default=None)
    star = "  best so far" if trial["status"] == "finished" and trial["score"] == leader else ""
    early = ", stopped early" if trial["status"] == "stopped early" else ""
    return f"{head}val {trial['measure']}  epochs {trial['epochs']}{early}  {overrides}{star}"


def best(trials: Sequence[RunRecord]) -> RunRecord:
    """The trial with the best score after all of its epochs, the first of equals.

    Raises: LaunchError if no trial finished.
    """
    finished = [trial for trial in trials if trial["status"] == "finished"]
    if not finished:
        reason = next((trial["error"] for trial in trials if trial.get("error")), "none finished")
        raise LaunchError(f"All {len(trials)} trials failed. The first: {reason}")
    return max(finished, key=lambda trial: trial["score"])


def draw(keys: Sequence[str], trials: Sequence[RunRecord], best: RunRecord, path: Path) -> None:
    from pipeline.report.sweep import parallel_coordinates

    shown = [trial for trial in trials if trial["status"] in ENDED]
    rows = [([word.partition("=")[2] for word in trial["overrides"]], trial["score"]) for trial in shown]
    parallel_coordinates(keys, rows, f"val {best['measure'].rsplit(' ')[0]}", shown.index(best), path)
