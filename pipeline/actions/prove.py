"""Prove unchanged results: train each experiment's first steps with a commit's code and with today's, and compare.

Two processes train at the same time, one with the working tree's code, one with the commit's in a git worktree. Each
has its own cache, so that its own code computes what is prepared from data. Digests of the weights are kept under
`.cache/proof/sides/`: the same code is trained once on the same kind of processor.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from pipeline.actions import data, first_steps, output_file
from pipeline.actions.verdicts import Verdict, compare, pair
from pipeline.actions.worktree import worktree
from pipeline.config import load_config, resolve, training
from pipeline.data import store
from pipeline.errors import DataError, LaunchError
from pipeline.files import atomic_write
from pipeline.runs import fingerprint, provenance
from pipeline.training import cpu
from pipeline.types import Console

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
POLL_S = 0.2


@dataclass(slots=True)
class Side:
    """One of the two trees: its code, its working folder and its process."""

    label: str
    tree: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


class Tree(TypedDict):
    """The code of the working tree."""

    commit: str | None
    dirty: bool | None
    digest: str


class Proof(TypedDict, total=False):
    """The file that `prove` writes."""

    commit: str
    working_tree: Tree
    processor: str
    lock_digest: str | None
    versions: dict[str, str]
    teacher: str
    steps: int
    experiments: dict[str, dict[str, Any]]  # verdicts
    fingerprints: dict[str, str]  # of the working tree
    commit_fingerprints: dict[str, str]  # of the commit: MD5 of each file, as dvc.lock holds it
    identical: int
    of: int


def prove(
    commit: str, experiments: Sequence[str], console: Console, *, root: Path, steps: int = 20, file: Path | None = None
) -> tuple[Proof, Path]:
    """Compare the first steps of experiments (default: all) with those of a commit.

    Returns: the proof, and its file.
    Raises: LaunchError if the project has no such commit; ConfigError for an unknown experiment.
    """
    commit = _full(commit, root)
    file = file or root / ".cache/proof" / f"{commit[:12]}.json"
    output_file.check(file, "--out")
    configured = {name: resolve(load_config(f"experiment={name}", root=root)) for name in experiments or _all(root)}
    missing = _missing({config["data"]["name"] for config in configured.values()}, root, console)
    proof: Proof = {**_facts(commit, root), "steps": steps}
    with worktree(commit, root) as tree:
        pairs, unpaired = pair(list(configured), _all(tree), everything=not experiments)
        for verdict in unpaired:
            console.print(str(verdict))
        before = Side(commit[:12], tree, _folder(root, commit[:12], proof))
        now = Side("the working tree", root, _folder(root, f"tree-{proof['working_tree']['digest']}", proof))
        _remove_other_trees(now.folder.parent)
        proof["commit_fingerprints"] = _fingerprints(before, pairs)
        verdicts = unpaired
        with (
            _training(before, [old for _, old in pairs], root, steps, missing),
            _training(now, [new for new, _ in pairs], root, steps, missing),
        ):
            for verdict in follow(pairs, before, now, steps):
                console.print(str(verdict))
                verdicts.append(verdict)
    _check_unchanged(now, proof["working_tree"]["digest"])
    proof["experiments"] = {verdict.experiment: asdict(verdict) for verdict in verdicts}
    # Of the code that was proven: a later change makes the proof void for what it touches.
    proof["fingerprints"] = {name: fingerprint.identity(training(config), root) for name, config in configured.items()}
    proof["identical"], proof["of"] = sum(verdict.verdict == "identical" for verdict in verdicts), len(verdicts)
    atomic_write(file, json.dumps(proof, indent=1) + "\n")
    return proof, file


def follow(pairs: list[tuple[str, str]], before: Side, now: Side, steps: int) -> Iterator[Verdict]:
    """Yield the verdict on each pair as soon as both sides have a result, or a process has ended without one."""
    waiting = list(pairs)
    while waiting:
        for new, old in list(waiting):
            then, today = _result(before, old, steps), _result(now, new, steps)
            if then and today:
                waiting.remove((new, old))
                yield compare(new, then, today)
        if waiting:
            time.sleep(POLL_S)


def _result(side: Side, experiment: str, steps: int) -> first_steps.StepsResult | None:
    """Return the result that a side has written, an error if its process has ended without one, None until then."""
    ended = side.ended  # read before the file, which a process may write as its last act
    file = side.folder / f"steps-{steps}" / f"{experiment}.json"
    if file.is_file():
        result: first_steps.StepsResult = json.loads(file.read_text())
        return result
    return {"error": f"its process ended without a result, see {side.log}"} if ended else None


@contextmanager
def _training(side: Side, experiments: list[str], root: Path, steps: int, missing: list[str]) -> Iterator[None]:
    """Run a side's process inside the block."""
    results = side.folder / f"steps-{steps}"
    results.mkdir(parents=True, exist_ok=True)
    for file in results.glob("*.json"):
        if "weights" not in json.loads(file.read_text()):  # an error or missing data: tried again
            file.unlink()
    (root / "data").mkdir(exist_ok=True)
    for name, target in (("conf", side.tree / "conf"), ("data", root / "data")):
        (side.folder / name).unlink(missing_ok=True)
        (side.folder / name).symlink_to(target.absolute())
    words = [str(side.tree), str(side.folder), str(steps), ",".join(missing), *experiments]
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(side.tree)}
    with side.log.open("wb") as log:
        # With -P the modules beside the script do not hide libraries of the same name.
        command = [sys.executable, "-P", str(first_steps.__file__), *words]
        side.process = subprocess.Popen(command, cwd=side.folder, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        side.process.terminate()
        side.process.wait()


def _fingerprints(before: Side, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the MD5 of each experiment's fingerprint as the commit's own code writes it; {} if it can't."""
    folder = before.folder / "fingerprint"
    command = [sys.executable, "-m", "pipeline", "fingerprint", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(before.tree)}
    if subprocess.run(command, cwd=before.tree, env=environment, capture_output=True, check=False).returncode:
        return {}
    files = {new: folder / f"{old}.json" for new, old in pairs}
    return {new: hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() for new, file in files.items()}


def _missing(names: set[str], root: Path, console: Console) -> list[str]:
    """Download what is missing in `data/`; return the data sets that no source has."""
    mirror, missing = os.environ.get("PIPELINE_DATA_MIRROR"), []
    for name in sorted(names & store.FILES.keys()):
        try:
            store.verify(name, root / "data")
            continue
        except DataError as error:
            console.print(f"downloading {name}: {str(error).splitlines()[0]}")
        try:
            data.pull([name], root=root, mirror=mirror, progress=console.download)
        except DataError as error:
            console.print(f"data set {name} is missing: {str(error).splitlines()[0]}")
            missing.append(name)
    return missing


def _all(tree: Path) -> list[str]:
    return sorted(file.stem for file in (tree / "conf/experiment").glob("*.yaml"))


def _facts(commit: str, root: Path) -> Proof:
    """Return the facts of the comparison: both codes, the processor, the versions."""
    known = provenance.provenance(root)
    return {
        "commit": commit,
        "working_tree": {"commit": known["commit"], "dirty": known["dirty"], "digest": _digest(root)},
        "processor": cpu.describe(),
        "lock_digest": known["lock_digest"],
        "versions": cpu.versions(),
        "teacher": f"a stored net predicts {first_steps.TEACHER_TEXTS} texts; their rows are repeated for the others",
    }


def _folder(root: Path, code: str, facts: Mapping[str, object]) -> Path:
    """Return the folder for a code's models, caches and results, one for each processor and set of libraries."""
    known = [first_steps.VERSION, *(facts[key] for key in ("processor", "lock_digest", "versions"))]
    name = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]
    return root / ".cache/proof/sides" / code / name


def _remove_other_trees(tree: Path) -> None:
    """Remove the folders of earlier states of the working tree, which are not compared again."""
    for folder in tree.parent.glob("tree-*"):
        if folder != tree:
            shutil.rmtree(folder)


def _digest(tree: Path) -> str:
    """Return 12 digits of a SHA-256 over code, configuration and lock file, committed or not."""
    files = [*tree.glob("pipeline/**/*.py"), *tree.glob("conf/**/*.yaml"), *tree.glob("requirements.lock")]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.relative_to(tree)}" for file in files]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def _check_unchanged(side: Side, digest: str) -> None:
    """Raises: LaunchError if the code has changed since the training started; what was trained is removed."""
    if _digest(side.tree) != digest:
        shutil.rmtree(side.folder)
        raise LaunchError(f"{side.tree}: changed during the comparison. Repeat it without changing files meanwhile.")


def _full(commit: str, root: Path) -> str:
    """Return the full digest of a commit. Raises: LaunchError if the project has no such commit."""
    command = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LaunchError(f"{root}: has no commit {commit}. Give a commit, tag or branch, as in `git log --oneline`.")
    return done.stdout.strip()
