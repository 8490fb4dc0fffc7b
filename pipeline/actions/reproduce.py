"""Running a tracked run again as it was, its code in a git worktree, and comparing the two.

`commit`, `config.json` and the digests of a run's record are enough; the run itself is not touched.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, fingerprint, lookup, provenance
from pipeline.training import cpu
from pipeline.types import Console


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run and its repetition: whether the weights are bit-identical, what differs, each metric then and now."""

    run: str
    again: str
    identical: bool
    differs: dict[str, tuple[Any, Any]]  # of code, data, configuration, environment, hardware
    metrics: dict[str, tuple[float, float]]


def reproduce(run: str, console: Console, *, root: Path) -> Comparison:
    """Run a finished run again in a clean process, from the code it was made with.

    Raises: LaunchError if the run is not finished, its commit is gone, or the repetition fails.
    """
    record = lookup.find(run, root)
    run_dir = Path(record["run_dir"])
    if record["status"] != "finished":
        raise LaunchError(f"{record['name']} is {record['status']}; only a finished run can be compared. Resume it.")
    if record.get("dirty"):
        console.print("its code was not committed: the last commit before it is run instead")
    with worktree(record["commit"], root) as tree:
        console.print(f"running {record['name']} again, code {record['commit'][:12]}")
        repeat(run_dir, tree, console)
        again = lookup.listing(tree)[0]
        return compare(record, again, root)


@contextmanager
def worktree(commit: str | None, root: Path) -> Iterator[Path]:
    """The project as it was at a commit, with today's data and MLflow's store left out, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="reproduce-") as parent:
        tree = Path(parent) / "project"
        if not commit or _git(root, "worktree", "add", "--detach", str(tree), commit).returncode:
            raise LaunchError(f"{root}: has no commit {commit}. Fetch the branch that the run was made on.")
        try:
            for name in ("data", "models"):  # what others trained (a judge, an ensemble's members) is not trained again
                if (root / name).is_dir():
                    (tree / name).symlink_to(root / name)
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def repeat(run_dir: Path, tree: Path, console: Console) -> None:
    """Train a run's own configuration in the worktree, in a process that has imported nothing yet."""
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
            raise LaunchError(f"{run_dir.name}: running it again failed: {log.read().strip().splitlines()[-1]}")


def compare(record: dict[str, Any], again: dict[str, Any], root: Path) -> Comparison:
    """What is the same of two finished runs, and what is not."""
    manifests = [checkpoints.verify(Path(one["run_dir"]) / "model") for one in (record, again)]
    weights = [checkpoints.weights_digest(manifest) for manifest in manifests]
    facts = {
        "code": _code(record, again),
        "data": [manifest["data_digest"] for manifest in manifests],
        "configuration": [manifest["config_digest"] for manifest in manifests],
        "environment": [one["lock_digest"] for one in (record, again)],
        "hardware": [record.get("hardware") or "not recorded", cpu.describe()],
    }
    differs = {name: (before, after) for name, (before, after) in facts.items() if before != after}
    both = record["metrics"].keys() & again["metrics"].keys()
    metrics = {name: (record["metrics"][name], again["metrics"][name]) for name in sorted(both)}
    return Comparison(record["name"], again["name"], weights[0] == weights[1], differs, metrics)


def _code(*records: dict[str, Any]) -> list[str]:
    """The code of each of two runs: the same text if it is the same code; its commit too where it is not."""
    commits = [f"{one['commit']}{' and changes' if one.get('dirty') else ''}" for one in records]
    codes = [fingerprint.code_of(one) for one in records]
    if None in codes:  # a record of before there were fingerprints
        return commits
    if codes[0] == codes[1]:
        return [commits[0]] * 2
    return [f"{str(code)[:12]} (commit {commit})" for code, commit in zip(codes, commits, strict=True)]


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
