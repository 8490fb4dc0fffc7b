"""Provenance of a run: commit, uncommitted changes, machine and package versions; and what has drifted since."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from pipeline.config.source import PACKAGE
from pipeline.runs import fingerprint
from pipeline.runs.run_record import RECORD as RECORD  # for those who look for runs

RECORDED = ("results", "dvc.lock")  # what `--record` writes, and DVC about it

PROVENANCE = "provenance.json"  # beside the code of a job that was submitted


def provenance(root: Path) -> dict[str, Any]:
    """The code and the lock a run used, and the DVC stage and experiment it is of; None where unknown or of none.

    On a cluster it is what the machine said that submitted the job.
    """
    if (sent := PACKAGE / PROVENANCE).is_file():
        told: dict[str, Any] = json.loads(sent.read_text())
        return told

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # But for what earlier runs recorded: of many in a row, only the first would be clean.
    changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{name}" for name in RECORDED))
    lock = root / "requirements.lock"
    return {
        "commit": git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "lock_digest": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        "dvc_stage": os.environ.get("DVC_STAGE"),  # DVC sets both for the commands of its stages
        "dvc_experiment": os.environ.get("DVC_EXP_NAME"),
    }


def drift(record: dict[str, Any], config: dict[str, Any], data_digest: str, root: Path) -> list[str]:
    """What is not as it was when a run began: code, configuration, data, packages.

    What a record lacks is not compared: older ones have no fingerprint.
    """
    then, now = record.get("fingerprint", {}), fingerprint.parts(config, root)
    if "dataset" in record:  # the data module's digest covers data of one's own, too
        then, now = {**then, "data": record["dataset"]["digest"]}, {**now, "data": data_digest}
    return fingerprint.changes(then, now)
