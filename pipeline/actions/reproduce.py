"""Repeat a run with its own code, in a git worktree, and compare weights and metrics.

The record's `commit` and digests and the run's `config.json` suffice; the run itself is not changed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, fingerprint, lookup, provenance
from pipeline.runs.records import RunRecord
from pipeline.training import cpu
from pipeline.types import Console


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run compared with its repetition: weights, facts that differ, each metric (then, now)."""

    run: str
    again: str
    identical: bool
    differs: dict[str, tuple[object, object]]  # those of code, data, configuration, environment, hardware that differ
    metrics: dict[str, tuple[float, float]]


def reproduce(run: str, console: Console, *, root: Path) -> Comparison:
    """Repeat a finished run in a new process, with the code that trained it.

    Raises: LaunchError if the run is not finished, its commit is gone, or the repetition fails.
    """
    record = lookup.find(run, root)
    run_dir = Path(record["run_dir"])
    if record["status"] != "finished":
        raise LaunchError(
            f"{record['name']}: is {record['status']}. Only a finished run can be compared. Finish it: "
            f"`pipeline resume {record['name']}`."
        )
    if record.get("dirty"):
        console.print("its code was not committed: the last commit before it is used instead")
    with worktree(record["commit"], root) as tree:
        console.print(f"repeating {record['name']} with the code of {str(record['commit'])[:12]}")
        repeat(run_dir, tree, console)
        again = lookup.listing(tree)[0]
        return compare(record, again, root)


@contextmanager
def worktree(commit: str | None, root: Path) -> Iterator[Path]:
    """Check out the project at a commit in a temporary folder, with links to today's data and models, without runs.

    Raises: LaunchError if the project has no such commit.
    """
    with tempfile.TemporaryDirectory(prefix="reproduce-") as parent:
        tree = Path(parent) / "project"
        if not commit or _git(root, "worktree", "add", "--detach", str(tree), commit).returncode:
            raise LaunchError(f"{root}: has no commit {commit}. Fetch the branch of the run: `git fetch`.")
        try:
            for name in ("data", "models"):  # required models (a judge, an ensemble's members) are not trained again
                if (root / name).is_dir():
                    (tree / name).symlink_to(root / name)
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def repeat(run_dir: Path, tree: Path, console: Console) -> None:
    """Train a run's own configuration in the worktree, in a new process.

    Raises: LaunchError with the last line of its output if it fails.
    """
    config = json.loads((run_dir / "config.json").read_text())["resolved"]
    folder = tree / "runs/again"
    folder.mkdir(parents=True)
    config["tracking"]["uri"] = "sqlite:///runs/mlflow.db"
    (folder / "config.json").write_text(json.dumps({"resolved": config, "unresolved": config}))
    record = {**{key: config[key] for key in ("name", "seed")}, "experiment": config["name"], "name": "again"}
    record |= {**provenance.provenance(tree), "data": config["data"]["name"], "command": "pipeline reproduce"}
    (folder / "run.json").write_text(
        json.dumps({**record, "run_dir": str(folder), "status": "interrupted", "started": 0})
    )
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    for name in ("MLFLOW_RUN_ID", "DVC_STAGE", "DVC_EXP_NAME"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "pipeline", "resume", "again"]
    with (folder / "reproduce.txt").open("w+") as log:
        done = subprocess.run(command, cwd=tree, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            log.seek(0)
            raise LaunchError(f"{run_dir.name}: the repetition failed: {log.read().strip().splitlines()[-1]}")


def compare(record: RunRecord, again: RunRecord, root: Path) -> Comparison:
    """Compare two finished runs."""
    manifests = [checkpoints.verify(Path(each["run_dir"]) / "model") for each in (record, again)]
    weights = [checkpoints.weights_digest(manifest) for manifest in manifests]
    facts: dict[str, Sequence[object]] = {
        "code": _code(record, again),
        "data": [manifest["data_digest"] for manifest in manifests],
        "configuration": [manifest["config_digest"] for manifest in manifests],
        "environment": [each["lock_digest"] for each in (record, again)],
        "hardware": [record.get("hardware") or "not recorded", cpu.describe()],
    }
    differs = {name: (before, after) for name, (before, after) in facts.items() if before != after}
    both = record["metrics"].keys() & again["metrics"].keys()
    metrics = {name: (record["metrics"][name], again["metrics"][name]) for name in sorted(both)}
    return Comparison(record["name"], again["name"], weights[0] == weights[1], differs, metrics)


def _code(*records: RunRecord) -> list[str]:
    """Describe the code of two runs: by equal texts if it is the same code, else by digests and commits."""
    commits = [f"{record['commit']}{' and changes' if record.get('dirty') else ''}" for record in records]
    codes = [fingerprint.code_of(record) for record in records]
    if None in codes:  # a record from before there were fingerprints
        return commits
    if codes[0] == codes[1]:
        return [commits[0]] * 2
    return [f"{str(code)[:12]} (commit {commit})" for code, commit in zip(codes, commits, strict=True)]


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
