"""Provenance of a run: commit, uncommitted changes, lock file; and the drift since a run was recorded."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Config
from pipeline.config.source import PACKAGE
from pipeline.runs import fingerprint

if TYPE_CHECKING:  # records have a provenance
    from pipeline.runs.records import RunRecord

RECORDED = ("results", "dvc.lock")  # written by `--record`, and by DVC about it
CODE = ("pipeline", "conf", "*.py")  # where a file that git does not track changes what runs
PROVENANCE = "provenance.json"  # beside the code of a job that was submitted
GIT_S = 10.0  # after which git counts as out of order


def provenance(root: Path) -> "RunRecord":
    """The code and the lock file of a run, and the DVC stage and experiment that it belongs to; None where unknown.

    A job on a cluster has the provenance of the machine that submitted it.
    """
    dvc: RunRecord = {  # DVC sets both for the commands of its stages
        "dvc_stage": os.environ.get("DVC_STAGE"),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME"),
    }
    if (sent := PACKAGE / PROVENANCE).is_file():
        submitted: RunRecord = json.loads(sent.read_text())
        return {**submitted, **dvc}
    lock = root / "requirements.lock"
    return {
        "commit": _git(root, "rev-parse", "HEAD")[0],
        "dirty": _dirty(root),
        "lock_digest": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        **dvc,
    }


def gaps(root: Path) -> list[str]:
    """A line for the terminal if the commit can't be recorded, with the reason and the remedy; else nothing."""
    if (PACKAGE / PROVENANCE).is_file():
        return []
    commit, problem = _git(root, "rev-parse", "HEAD")
    return [] if commit else [f"WARNING     commit and changes of the code are not recorded: {_remedy(root, problem)}"]


def _remedy(root: Path, problem: str) -> str:
    remedies = {
        "not found": "git is not installed. Install git.",
        "dubious ownership": f"{root} belongs to another user. `git config --global --add safe.directory {root}`",
        "not a git repository": f"{root} is not in a git repository. `git init`, `git add .` and `git commit` there.",
        "unknown revision": f"{root} has no commit yet. `git add .` and `git commit` there.",
    }
    return next((remedy for words, remedy in remedies.items() if words in problem), f"git fails: {problem}")


def _dirty(root: Path) -> bool | None:
    """Whether files differ from the commit, or git does not track some of the code; None without git.

    Files that earlier runs recorded do not count: of many runs in a row, only the first would be clean.
    """
    others = [f":!{name}" for name in RECORDED]
    changed, _ = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    untracked, _ = _git(root, "ls-files", "--others", "--exclude-standard", "--", *CODE)
    return None if changed is None or untracked is None else bool(changed or untracked)


def _git(root: Path, *words: str) -> tuple[str | None, str]:
    """The output of a git command, and its error in one line; no output if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        return None, "not found"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    return (None, " ".join(done.stderr.split())) if done.returncode else (done.stdout.strip(), "")


def drift(record: "RunRecord", config: Config, data_digest: str, root: Path) -> list[str]:
    """The differences from a run's start in code, configuration, data and packages, one line each.

    Parts that a record lacks are not compared: older records have no fingerprint.
    """
    then, now = record.get("fingerprint", {}), fingerprint.parts(config, root)
    if "dataset" in record:  # the data module's digest covers the user's own data, too
        then, now = {**then, "data": record["dataset"]["digest"]}, {**now, "data": data_digest}
    return fingerprint.changes(then, now)
