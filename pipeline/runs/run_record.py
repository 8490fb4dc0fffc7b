"""A run's record, `run.json`, and the lock that tells whether a process runs it."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pipeline.files import file_lock, is_locked, recover

RECORD = "run.json"
LOCK = ".lock"


def lock(run_dir: Path) -> AbstractContextManager[None]:
    """The lock of the process that runs this run, or cleans up after it.

    Raises: LockHeldError if another process holds it.
    """
    return file_lock(run_dir / LOCK, 0)


def load(run_dir: Path) -> dict[str, Any]:
    """The record; the status of a run whose process is gone is `interrupted`.

    Raises: OSError or ValueError if it can't be read.
    """
    record = _read(run_dir)
    if record["status"] == "running" and not is_locked(run_dir / LOCK):
        record = _read(run_dir)  # it may have ended between the two looks
        if record["status"] == "running" and not is_locked(run_dir / LOCK):
            record["status"] = "interrupted"
    return {**record, "run_dir": str(run_dir)}


def recover_folders(run_dir: Path) -> None:
    """Undo replacements of the run's folders that a crash cut off; for the process that holds the lock."""
    for parent in (run_dir, run_dir / "checkpoints"):
        recover(parent)


def _read(run_dir: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run_dir / RECORD).read_text())
    return record
