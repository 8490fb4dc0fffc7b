"""Provenance of a run: commit, uncommitted changes, lock file; and the drift since a run was recorded."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Config, find_root
from pipeline.config.source import PACKAGE
from pipeline.errors import ConfigError
from pipeline.runs import fingerprint

if TYPE_CHECKING:  # records have a provenance
    from pipeline.runs.records import RunRecord

# Files that change what runs; a project of one's own has packages of any name.
CODE = ("pipeline", "conf", "requirements.lock", "*.py", ":!tests", ":!benchmarks", ":!docs")
UNTRACKED = (
    ("--", ":(glob)pipeline/**/*.py", ":(glob)conf/**/*.yaml"),  # also if ignored
    ("--exclude-standard", "--", *CODE),
)
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
        "dirty": None if (files := uncommitted(root)) is None else bool(files),
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
    without = f"{root} is not in a git repository. `git init`, `git add .` and `git commit` there."
    without += "" if find_root(root) else " `pipeline new my_project` makes a project in one."
    remedies = {
        "not found": "git is not installed. Install git.",
        "dubious ownership": f"{root} belongs to another user. `git config --global --add safe.directory {root}`",
        "not a git repository": without,
        "unknown revision": f"{root} has no commit yet. `git add .` and `git commit` there.",
    }
    return next((remedy for words, remedy in remedies.items() if words in problem), f"git fails: {problem}")


def uncommitted(root: Path) -> list[str] | None:
    """The files of the code that differ from the commit, or that it lacks; None without git or a commit.

    Documents, results and other files that change no run do not count. Code that git is told to ignore does.
    """
    changed, _ = _git(root, "diff", "--name-only", "HEAD", "--", *CODE)
    lacking = [_git(root, "ls-files", "--others", *words)[0] for words in UNTRACKED]
    if changed is None or None in lacking:
        return None
    return sorted({line for text in (changed, *lacking) for line in str(text).splitlines()})


def check_committed(root: Path) -> None:
    """Raises: ConfigError if the commit does not contain the code of a result that is to be recorded."""
    submitted = (PACKAGE / PROVENANCE).is_file()
    files = ["the submitted code"] * bool(provenance(root)["dirty"]) if submitted else uncommitted(root)
    if files:
        names = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        raise ConfigError(
            f"--record: not as committed: {names}. No commit would contain the code of the result. Commit the code, or "
            "try it with --record-as NAME."
        )


def committed_text(path: Path, root: Path) -> str | None:
    """The content of a file in the last commit, None if the commit lacks it; without git that of the file itself."""
    if _git(root, "rev-parse", "HEAD")[0] is None:
        return path.read_text() if path.is_file() else None
    return _git(root, "show", f"HEAD:./{path.relative_to(root)}")[0]


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
