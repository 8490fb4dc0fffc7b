"""Promote a run's model to champion of its data set if it is significantly better than the current champion."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.actions.model_card import model_card
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records
from pipeline.runs.records import RunRecord
from pipeline.runs.results import Result
from pipeline.tracking.mlflow_store import MLflowStore, OutageError, RefusedError
from pipeline.tracking.registry import CHAMPION, Registry, Version
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import Console

MIN_STANDARD_ERRORS = 2  # a larger difference is significant


@dataclass(frozen=True, slots=True)
class Promotion:
    """The result of promoting a run: the model's version, the validation accuracies, and the champion."""

    run: str
    model: str  # the registered model, named after the data set
    version: str
    samples: int
    score: float  # accuracy on validation
    rival: str | None  # the previous champion; None if there was none or it is this run
    rival_score: float | None
    difference: float | None
    error: float | None  # standard error of the difference
    promoted: bool
    champion: str  # the run whose model is the champion now

    @property
    def why(self) -> str:
        if self.rival is None:
            return "first model of this data set" if self.promoted else "is the champion already"
        comparison = "more than" if self.promoted else "not more than"
        return f"the difference is {comparison} {MIN_STANDARD_ERRORS} standard errors"


def promote(run: str, console: Console, *, root: Path) -> Promotion:
    """Register a run's model, and set the champion alias to it if it is significantly better on validation.

    Raises: LaunchError if the run is not finished or not in MLflow, MLflow is down, or the models can't be compared.
    """
    record = lookup.find(run, root)
    if record["status"] != "finished":
        raise LaunchError(
            f"{record['name']} is {record['status']}; only a finished run can be promoted. `pipeline resume` it."
        )
    run_dir = Path(record["run_dir"])
    store = MLflowStore(records.config(run_dir)["tracking"]["uri"], root)
    if UploadQueue(run_dir, store).waiting() or not record.get("run_id"):
        raise LaunchError(
            f"{record['name']}: not all of it is in MLflow. Send it with `pipeline sync {record['name']}`."
        )
    own = _evaluate(record, console, root)
    try:
        return _decide(record, own, Registry(store, record["data"]), console, root)
    except (OutageError, RefusedError) as error:
        raise LaunchError(f"MLflow's registry: {error}. The champion is unchanged. Try again.") from error


def _decide(record: RunRecord, own: Result, registry: Registry, console: Console, root: Path) -> Promotion:
    before = registry.champion()
    rival = _rival(before, registry, root) if before and before.run_id != record["run_id"] else None
    theirs = _evaluate(rival, console, root) if rival else None
    if theirs and own["samples"]["truth_digest"] != theirs["samples"]["truth_digest"]:
        raise LaunchError(
            f"{record['name']} and the champion {rival and rival['name']} were validated on different samples of "
            f"{record['data']}, so their accuracies can't be compared. Train one of them on the other's split "
            "(data.val_size …)."
        )
    right_N = _right(own)
    difference, error = paired_difference(right_N, _right(theirs)) if theirs else (None, None)
    promoted = before is None or (
        difference is not None and error is not None and difference > MIN_STANDARD_ERRORS * error
    )
    facts = {**own["metrics"], "weights_digest": own["weights_digest"], "run": record["name"]}
    facts |= {key: record.get(key) for key in ("commit", "dirty", "lock_digest", "hardware")}
    card = model_card(Path(record["run_dir"]) / "model", root)
    version = registry.register(str(record["run_id"]), {name: str(value) for name, value in facts.items()}, card)
    if promoted:
        if registry.champion() != before:
            raise LaunchError(f"{registry.name}: its {CHAMPION} changed meanwhile. Promote {record['name']} again.")
        registry.set_alias(version)
    return Promotion(
        run=record["name"],
        model=registry.name,
        version=version.number,
        samples=len(right_N),
        score=float(right_N.mean()),
        rival=rival["name"] if rival else None,
        rival_score=float(_right(theirs).mean()) if theirs else None,
        difference=difference,
        error=error,
        promoted=promoted,
        champion=rival["name"] if rival and not promoted else record["name"],
    )


def paired_difference(right_N: np.ndarray, rival_N: np.ndarray) -> tuple[float, float]:
    """The mean paired difference of two models' correctness on the same samples, and its standard error.

    Pairing removes the variance of the samples' difficulty, so the error is smaller than that of unpaired accuracies.
    """
    difference_N = right_N.astype(float) - rival_N
    return float(difference_N.mean()), float(difference_N.std(ddof=1) / np.sqrt(len(difference_N)))


def _rival(champion: Version, registry: Registry, root: Path) -> RunRecord:
    try:
        return lookup.find(champion.run_id, root)
    except LaunchError as error:
        raise LaunchError(
            f"{registry.name}: its {CHAMPION}, version {champion.number}, is of run {champion.run_id}, which is not in "
            f"{root / 'runs'}. Fetch that run's folder, or take the alias away in MLflow."
        ) from error


def _evaluate(record: RunRecord, console: Console, root: Path) -> Result:
    """Evaluate a run's model on validation in a fresh process.

    Raises: LaunchError if the evaluation fails, or the model's predictions are neither right nor wrong.
    """
    console.print(f"evaluating {record['name']} on validation")
    command = [sys.executable, "-m", "pipeline", "evaluate", record["run_dir"], "--split", "val", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: ")
        raise LaunchError(f"{record['name']}: its evaluation failed: {reason}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    if not result["samples"]:
        raise LaunchError(
            f"{record['name']}: a generator's images are neither right nor wrong, so it can't be promoted. Choose a "
            "classifier or translator."
        )
    return result


def _right(result: Result) -> np.ndarray:
    return np.array([digit == "1" for digit in result["samples"]["right"]])
