"""Run folders: making, finding and listing them, and the record of what each one was and became."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.config import revive
from pipeline.config.aliases import upgrade
from pipeline.errors import Interrupted, LaunchError
from pipeline.files import LockHeldError, file_lock, is_locked, recover
from pipeline.runs import fingerprint, interruption

RECORD = "run.json"
LOCK = ".lock"
CONFIG = "config.json"  # as `pipeline.config.compose.stored` writes it


def create(root: Path, config: dict[str, Any], facts: dict[str, Any]) -> Path:
    """A folder of its own for a new run, named after the experiment, the seed and the time.

    Raises: LaunchError if the project's runs folder can't be written.
    """
    parts = fingerprint.parts(config, root)
    stem = f"{config['name']}-s{config['seed']}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        (root / "runs").mkdir(exist_ok=True)
        for name in [stem, *(f"{stem}-{again}" for again in range(2, 100))]:
            run_dir = root / "runs" / name
            try:
                run_dir.mkdir()
            except FileExistsError:  # another run began in the same second
                continue
            record = {
                "name": name,
                "experiment": config["name"],
                "seed": config["seed"],
                "data": config["data"]["name"],
                "fingerprint": parts,
            }
            _write(run_dir, {**record, **facts, "run_dir": str(run_dir), "status": "created", "started": time.time()})
            return run_dir
    except OSError as error:
        raise LaunchError(
            f"{root / 'runs'}: can't be written ({error.strerror}). Work in a folder of your own."
        ) from error
    raise LaunchError(f"{root / 'runs' / stem}: a hundred runs of that name. Wait a second.")


def read(run_dir: Path) -> dict[str, Any]:
    """A run's record; a run whose process is gone is `interrupted`.

    Raises: LaunchError if there is none, or it can't be read.
    """
    try:
        return _load(run_dir)
    except (OSError, ValueError) as error:
        raise LaunchError(
            f"{run_dir / RECORD}: not a run's record ({error}). `pipeline runs` lists the runs."
        ) from error


def _load(run_dir: Path) -> dict[str, Any]:
    """The record; the status of a run whose process is gone is `interrupted`.

    Raises: OSError or ValueError if it can't be read.
    """
    record = _read(run_dir)
    if record["status"] == "running" and not is_locked(run_dir / LOCK):
        record = _read(run_dir)  # it may have ended between the two looks
        if record["status"] == "running" and not is_locked(run_dir / LOCK):
            record["status"] = "interrupted"
    return {**record, "run_dir": str(run_dir)}


def _read(run_dir: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run_dir / RECORD).read_text())
    return record


def config(run_dir: Path) -> dict[str, Any]:
    """A run's configuration, resolved; passwords are not kept, they come from the environment.

    Raises: ConfigError if the environment lacks what it had then.
    """
    return upgrade(revive(json.loads((run_dir / CONFIG).read_text())["resolved"]))


def update(run_dir: Path, /, **facts: Any) -> None:
    """Add to a run's record."""
    _write(run_dir, {**json.loads((run_dir / RECORD).read_text()), **facts})


@contextmanager
def status(run_dir: Path) -> Iterator[None]:
    """Keep the record's status true: running inside the block, then finished, failed or interrupted.

    Raises: Interrupted, with the exit code 130 for Ctrl-C and 75 (can go on) for SIGTERM; LaunchError if another
    process runs it.
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
    """What is said of a run that can go on."""
    return f"{run_dir.name} was interrupted. `pipeline resume {run_dir.name}` goes on with it."


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
    """The lock that a running run holds; the kernel lets go of it however the process ends."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(run_dir))
        except LockHeldError as error:
            raise LaunchError(
                f"{run_dir.name} is running, as process {read(run_dir).get('pid')}. Wait for it, or end that process."
            ) from error
        recover_folders(run_dir)
        yield


def create_trial(sweep_dir: Path, number: int, overrides: list[str]) -> Path:
    """A folder for a trial of a sweep, in the sweep's own."""
    run_dir = sweep_dir / "trials" / f"{number:03}"
    run_dir.mkdir(parents=True)
    facts = {"name": f"{sweep_dir.name}/{number:03}", "overrides": overrides, "started": time.time()}
    _write(run_dir, {**facts, "run_dir": str(run_dir), "status": "created"})
    return run_dir


def _write(run_dir: Path, record: dict[str, Any]) -> None:
    files.atomic_write(run_dir / RECORD, json.dumps(record, indent=1) + "\n")
