"""Making a run's model the champion of its data set, if it is better than the one before by more than the noise."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import LaunchError
from pipeline.runs import lookup, records
from pipeline.tracking.mlflow_store import MLflowStore, OutageError, RefusedError
from pipeline.tracking.registry import CHAMPION, Registry, Version
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import Console

ERRORS = 2  # a difference of more standard errors than these is not taken for noise


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a run's model: its version, the scores on validation, and whether the alias now names it."""

    run: str
    model: str  # the registered model, named after the data set
    version: str
    samples: int
    score: float  # the share of validation that is answered rightly
    rival: str | None  # the champion before; None: there was none, or it is this one
    rival_score: float | None
    difference: float | None
    error: float | None  # standard error of the difference
    promoted: bool
    champion: str  # the run whose model the alias names now

    @property
    def why(self) -> str:
        if self.rival is None:
            return "the first one" if self.promoted else "it was before"
        told = "more than" if self.promoted else "not more than"
        return f"the difference is {told} {ERRORS} standard errors"


def promote(run: str, console: Console, *, root: Path) -> Promotion:
    """Register a run's model, and make it the champion if it is better on validation than the champion.

    Raises: LaunchError if the run is not finished, MLflow does not know it or is down, or the two can't be compared.
    """
    record = lookup.find(run, root)
    if record["status"] != "finished":
        raise LaunchError(f"{record['name']} is {record['status']}; only a finished run is promoted. Resume it.")
    run_dir = Path(record["run_dir"])
    store = MLflowStore(records.config(run_dir)["tracking"]["uri"], root)
    if UploadQueue(run_dir, store).waiting() or not record.get("run_id"):
        raise LaunchError(f"{record['name']}: MLflow has not been told all of it. `pipeline sync {record['name']}`.")
    own = _evaluate(record, console, root)
    try:
        return _decide(record, own, Registry(store, record["data"]), console, root)
    except (OutageError, RefusedError) as error:
        raise LaunchError(f"MLflow's registry: {error}. The champion is as it was; try again.") from error


def _decide(record: dict[str, Any], own: dict[str, Any], registry: Registry, console: Console, root: Path) -> Promotion:
    before = registry.champion()
    rival = _rival(before, registry, root) if before and before.run_id != record["run_id"] else None
    theirs = _evaluate(rival, console, root) if rival else None
    if theirs and own["samples"]["truth_digest"] != theirs["samples"]["truth_digest"]:
        raise LaunchError(
            f"{record['name']} and the champion {rival and rival['name']} were validated on other samples of "
            f"{record['data']}, so no difference can be told. Train one of them on the other's split (data.val_size …)."
        )
    right_N = _right(own)
    difference, error = paired(right_N, _right(theirs)) if theirs else (None, None)
    promoted = before is None or (difference is not None and error is not None and difference > ERRORS * error)
    facts = {**own["metrics"], "weights_digest": own["weights_digest"], "run": record["name"]}
    version = registry.register(record["run_id"], {name: str(value) for name, value in facts.items()})
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


def paired(right_N: np.ndarray, rival_N: np.ndarray) -> tuple[float, float]:
    """The mean difference of two models' right answers on the same samples, and its standard error.

    The pairs share what is hard about a sample, so this is a far smaller error than that of two scores apart.
    """
    difference_N = right_N.astype(float) - rival_N
    return float(difference_N.mean()), float(difference_N.std(ddof=1) / np.sqrt(len(difference_N)))


def _rival(champion: Version, registry: Registry, root: Path) -> dict[str, Any]:
    try:
        return lookup.find(champion.run_id, root)
    except LaunchError as error:
        raise LaunchError(
            f"{registry.name}: its {CHAMPION}, version {champion.number}, is of run {champion.run_id}, which is not in "
            f"{root / 'runs'}. Fetch that run's folder, or take the alias away in MLflow."
        ) from error


def _evaluate(record: dict[str, Any], console: Console, root: Path) -> dict[str, Any]:
    """What a process that has imported nothing yet makes of a run's model on validation.

    Raises: LaunchError if it fails, or the model gives no answers that are right or wrong.
    """
    console.print(f"evaluating {record['name']} on validation")
    command = [sys.executable, "-m", "pipeline", "evaluate", record["run_dir"], "--split", "val", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no words"])[-1].removeprefix("error: ")
        raise LaunchError(f"{record['name']}: evaluating it failed: {said}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not result["samples"]:
        raise LaunchError(f"{record['name']}: a generator's images are not right or wrong; only answers are compared.")
    return result


def _right(result: dict[str, Any]) -> np.ndarray:
    return np.array([digit == "1" for digit in result["samples"]["right"]])
