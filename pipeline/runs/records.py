"""One run's folder: its record `run.json`, its lock and its status.

`pipeline.runs.lookup` finds runs, `pipeline.runs.provenance` collects the facts of the code that a record holds.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

from pipeline import files
from pipeline.config import Config, check_name, revive
from pipeline.config.aliases import upgrade
from pipeline.config.kind import model_name
from pipeline.errors import ConfigError, Interrupted, LaunchError
from pipeline.files import LockHeldError, file_lock, is_locked, recover
from pipeline.runs import checkpoints, fingerprint, interruption
from pipeline.types import DataSetFacts

RECORD = "run.json"
LOCK = ".lock"
CONFIG = "config.json"  # as `pipeline.config.stored` writes it


class TrialFacts(TypedDict, total=False):
    """The facts of a trial's record that its sweep's record repeats."""

    name: str
    overrides: list[str]
    status: str | None
    epochs: int | None
    score: float | None
    measure: str
    error: str | None


class SweepFacts(TypedDict):
    """The keys that a sweep searches, and the arguments of `train` that its trials share."""

    keys: list[str]
    train: list[str]


class RunRecord(TypedDict, total=False):
    """A run's `run.json`. `read` gives every record a name, experiment, model, seed, status, run_dir and run_id.

    Experiment, model and seed are None only where the configuration can't be read.
    """

    name: str
    experiment: str | None
    model: str | None
    seed: int | None
    data: str
    status: str
    run_dir: str
    run_id: str | None  # MLflow's
    experiment_id: str | None
    started: float  # seconds since 1970
    pid: int
    commit: str | None  # None without git, as is dirty
    dirty: bool | None
    lock_digest: str | None
    dvc_stage: str | None
    dvc_experiment: str | None
    command: str
    storage: str  # the address to which the run is copied, if it is
    hardware: str
    environment: dict[str, str | None]  # see `cpu.environment`
    identity: str
    fingerprint: fingerprint.Parts
    dataset: DataSetFacts
    metrics: dict[str, float]
    seconds: float
    wall_s: float
    cpu_s: float
    steps: int
    workers: int
    sweep: SweepFacts  # of a sweep, as are the next four
    best: TrialFacts
    trials: list[TrialFacts]
    figure: str
    overrides: list[str]  # of a trial, as are the next four
    epochs: int
    score: float
    measure: str
    error: str | None


def create(root: Path, config: Config, facts: RunRecord, name: str | None = None) -> Path:
    """Make the folder of a new run, by default named after the experiment, the seed and the time, with its record.

    Raises: LaunchError if the folder is there, or can't be written; ConfigError if its name can't be a folder's.
    """
    check_name("name", config["name"])
    model = model_name(config)
    shown = config["name"] if config["name"] != config["data"]["name"] else f"{config['name']}-{model}"
    record: RunRecord = {
        "experiment": config["name"],
        "model": model,
        "seed": config["seed"],
        "data": config["data"]["name"],
        "run_id": None,  # until MLflow has one
        "fingerprint": fingerprint.parts(config, root),
        **facts,
        "status": "created",
    }
    try:
        stem = f"{shown}-s{config['seed']}-{datetime.now():%Y%m%d-%H%M%S}"
        run_dir = _named_folder(root / "runs", name) if name else _new_folder(root / "runs", stem)
        _write(run_dir, {"name": run_dir.name, **record, "run_dir": str(run_dir), "started": time.time()})
    except OSError as error:
        raise LaunchError(
            f"{root / 'runs'}: can't be written ({error.strerror}). Work in a folder of your own."
        ) from error
    return run_dir


def _new_folder(parent: Path, stem: str) -> Path:
    parent.mkdir(exist_ok=True)
    for name in [stem, *(f"{stem}-{number}" for number in range(2, 100))]:
        try:
            (parent / name).mkdir()
        except FileExistsError:  # another run was created in the same second
            continue
        return parent / name
    raise LaunchError(f"{parent / stem}: a hundred runs have this name. Wait a second.")


def _named_folder(parent: Path, name: str) -> Path:
    parent.mkdir(exist_ok=True)
    try:
        (parent / name).mkdir()
    except FileExistsError as error:
        raise LaunchError(
            f"{parent / name}: is there, and not a run that can be resumed. Choose another name."
        ) from error
    return parent / name


def read(run_dir: Path) -> RunRecord:
    """A run's record, also of older runs with at least name, experiment, model, seed, status, run_dir and run_id.

    The status of a run whose process is gone is `interrupted`; `run_id` is None until MLflow has one.

    Raises: LaunchError if there is none, or it can't be read.
    """
    try:
        record = _read(run_dir)
        if _is_orphan(record, run_dir):
            record = _read(run_dir)  # the run may have ended between the two looks
            if _is_orphan(record, run_dir):
                record["status"] = "interrupted"
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LaunchError(
            f"{run_dir / RECORD}: not a run's record ({error!r}). `pipeline runs` lists the runs."
        ) from error
    record = {"name": run_dir.name, "run_id": None, **record, "run_dir": str(run_dir)}
    return record if {"experiment", "model", "seed"} <= record.keys() else {**_configured(run_dir), **record}


def _read(run_dir: Path) -> RunRecord:
    record: RunRecord = json.loads((run_dir / RECORD).read_text(encoding="utf-8"))
    return record


def _is_orphan(record: RunRecord, run_dir: Path) -> bool:
    return bool(record["status"] == "running") and not is_locked(run_dir / LOCK)


def _configured(run_dir: Path) -> RunRecord:
    """The record's keys that the configuration of a run holds; None for each if it can't be read."""
    try:
        config = upgrade(json.loads((run_dir / CONFIG).read_text(encoding="utf-8"))["resolved"])
        return {"experiment": config["name"], "model": model_name(config), "seed": config["seed"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError):
        return {"experiment": None, "model": None, "seed": None}


def config(run_dir: Path) -> Config:
    """A run's configuration, resolved; passwords are not stored, they come from the environment.

    Raises: ConfigError if the environment lacks a variable that it refers to.
    """
    return upgrade(revive(json.loads((run_dir / CONFIG).read_text(encoding="utf-8"))["resolved"]))


def update(run_dir: Path, /, **facts: Unpack[RunRecord]) -> None:
    """Add facts to a run's record, or replace them."""
    _write(run_dir, {**_read(run_dir), **facts})


@contextmanager
def status(run_dir: Path) -> Iterator[None]:
    """Keep the record's status true: running inside the block, then finished, failed or interrupted.

    Raises: Interrupted, with the exit code 130 for Ctrl-C and 75 (can be resumed) for SIGTERM and SIGHUP; LaunchError
    if another process runs it.
    """
    with _alone(run_dir), interruption.at_once():
        interruption.withdraw(run_dir)
        update(run_dir, status="running", pid=os.getpid())
        try:
            yield
        except Interrupted:
            update(run_dir, status="interrupted")
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            update(run_dir, status="interrupted")
            code = error.code if isinstance(error, SystemExit) and error.code in (75, 130) else 130
            raise Interrupted(interrupted(run_dir), code) from error
        except BaseException:
            update(run_dir, status="failed")
            raise
        update(run_dir, status="finished")


def interrupted(run_dir: Path) -> str:
    """The message of a run that can be resumed."""
    return f"{run_dir.name} was interrupted. Resume it with `pipeline resume {run_dir.name}`."


def lock(run_dir: Path) -> AbstractContextManager[None]:
    """The lock of the process that runs this run, or cleans up after it.

    Raises: LockHeldError if another process holds it.
    """
    return file_lock(run_dir / LOCK, 0)


def recover_folders(run_dir: Path) -> None:
    """Undo replacements of the run's folders that a crash cut off; for the process that holds the lock."""
    for parent in (run_dir, run_dir / "checkpoints"):
        recover(parent)


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Hold the lock of a running run; the kernel releases it however the process ends."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(run_dir))
        except LockHeldError as error:
            raise LaunchError(
                f"{run_dir.name} is running, as process {read(run_dir).get('pid')}. Wait for it, or end that process."
            ) from error
        recover_folders(run_dir)
        _remove_torn(run_dir / "checkpoints")
        yield


def _remove_torn(parent: Path) -> None:
    """Remove the checkpoints later than the one to resume from: `prune` would keep them in the place of new ones."""
    newest = checkpoints.newest(parent)
    for folder in parent.glob("step-*"):
        if newest is None or folder.name > newest.name:
            files.remove(folder)


def create_trial(sweep_dir: Path, number: int, overrides: list[str]) -> Path:
    """A folder for a trial of a sweep, in the sweep's own."""
    run_dir = sweep_dir / "trials" / f"{number:03}"
    run_dir.mkdir(parents=True)
    facts: RunRecord = {"name": f"{sweep_dir.name}/{number:03}", "overrides": overrides, "started": time.time()}
    _write(run_dir, {**facts, "run_dir": str(run_dir), "status": "created"})
    return run_dir


def _write(run_dir: Path, record: RunRecord) -> None:
    files.atomic_write(run_dir / RECORD, json.dumps(record, indent=1) + "\n")
