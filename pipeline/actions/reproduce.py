"""Train a recorded run again with its own code, whole or its first steps, and compare with the trail that it left.

A record is a run of this machine, or a committed result. The recorded run itself is not changed.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.actions import replay
from pipeline.actions.worktree import has, worktree
from pipeline.config import load_config, resolve, training
from pipeline.config.source import VARIABLE, project_of
from pipeline.errors import CheckpointError, ConfigError, LaunchError
from pipeline.runs import checkpoints, fingerprint, replays, trail
from pipeline.runs.recorded import LOCK, Facts, Recorded, differing, find
from pipeline.training import cpu
from pipeline.types import Console


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The verdict on a record.

    `identical`, `equal` and `different` are those of `trail.compare`; `unverifiable` comes with the reason.
    """

    run: str
    verdict: trail.Verdict
    steps: int = 0  # the last step that was compared
    of: int = 0  # steps of the whole training
    first_difference: int | None = None  # the first step that differs
    differs: dict[str, tuple[str, str]] = field(default_factory=dict)  # aspects that differ, (then, now)
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)  # of whole trainings
    reason: str = ""


def reproduce(
    name: str, console: Console, *, root: Path, steps: int | None = None, interval: bool = False
) -> Reproduction:
    """Train a record again in a new process: whole, or to `steps`, or from a random checkpoint to the next trail entry.

    `name` is EXPERIMENT-SEED of a committed result, or a run. The code is that of the record's commit; the working
    tree's where that is the same code.

    A replay from a checkpoint is added to results/replays.jsonl if the run made a committed result.

    Raises: LaunchError if there is no such record, or the run is not finished.
    """
    recorded = find(name, root)
    if recorded.dirty or not recorded.commit:
        made = "uncommitted code" if recorded.dirty else "code without a commit"
        return Reproduction(recorded.name, "unverifiable", of=recorded.steps, reason=f"it was made from {made}")
    if (steps or interval) and len(recorded.entries) <= 1 < recorded.steps:
        reason = "its record has no trail of its steps. Leave out --steps to repeat it whole"
        return Reproduction(recorded.name, "unverifiable", of=recorded.steps, reason=reason)
    checkpoint, start = None, 0
    if interval:
        checkpoint, start, steps = _interval(recorded)
    elif steps:  # the last that the trail knows
        steps = max((entry.step for entry in recorded.entries if entry.step <= steps), default=steps)
    with _tree(recorded, root) as tree, tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        if tree is None:
            reason = f"its code is not here: the project has no commit {recorded.commit}. `git fetch`"
            return Reproduction(recorded.name, "unverifiable", of=recorded.steps, reason=reason)
        code = "the working tree" if tree == root else f"commit {recorded.commit[:12]}"
        console.print(f"{recorded.name}: training with the code of {code}")
        request: replay.Request = {
            "config": recorded.config,
            "overrides": recorded.overrides,
            "steps": steps,
            "checkpoint": str(checkpoint) if checkpoint else None,
        }
        outcome = _run(request, tree, Path(scratch), root, instructions(recorded.depends))
        found = _verdict(recorded, outcome, Path(scratch) / "model", steps)
    if checkpoint and found.verdict != "unverifiable" and not recorded.problem:
        note = replays.Replay(
            run=recorded.result,
            weights=recorded.entries[-1].weights,
            start=start,
            end=found.steps,
            verdict=found.verdict,
            commit=recorded.commit,
            processor=str(outcome["environment"]["processor"]),
        )
        if replays.add(note, root):
            console.print(f"{replays.path_of(root)}: added steps {start:,} to {found.steps:,} of {recorded.result}")
    return found


@contextmanager
def _tree(recorded: Recorded, root: Path) -> Iterator[Path | None]:
    """The folder with a record's code: the working tree if it has the same, else a checkout; None if it is not here."""
    if recorded.depends["code"] and recorded.depends["code"] == _code(recorded, root):
        yield root
    elif recorded.commit and has(recorded.commit, root):
        with worktree(recorded.commit, root) as tree:
            yield tree
    else:
        yield None


def _code(recorded: Recorded, root: Path) -> str | None:
    """The digest of the working tree's code for a record's configuration; None if it can't be composed any more."""
    try:
        config = recorded.config or resolve(load_config(*recorded.overrides, root=root))
        return fingerprint.code_of({"fingerprint": fingerprint.parts(training(config), root)})
    except ConfigError:
        return None


def worst(found: Sequence[Reproduction]) -> trail.Verdict:
    """The verdict on several records: that of the one which is least confirmed."""
    order: tuple[trail.Verdict, ...] = ("identical", "equal", "unverifiable", "different")
    return max((each.verdict for each in found), key=order.index)


def lines(found: Reproduction) -> Iterator[str]:
    """Yield the verdict and what differs, a line each."""
    where = (
        "" if found.verdict == "unverifiable" or not found.of else f", {found.steps:,} of {found.of:,} steps compared"
    )
    first = f", first difference after step {found.first_difference:,}" if found.first_difference is not None else ""
    yield f"{found.run}: {found.verdict}{where}{first}{f': {found.reason}' if found.reason else ''}"
    for aspect, (then, now) in found.differs.items():
        yield f"  {aspect} differs: {then} then, {now} now"
    for name, (before, after) in found.metrics.items():
        yield f"  {name:24} {before:.6f} then, {after:.6f} now, {after - before:+.6f}"


def _interval(recorded: Recorded) -> tuple[Path, int, int]:
    """A random checkpoint of a run that verifies, its step, and the step of the next trail entry after it.

    Raises: LaunchError if there is none.
    """
    folders = sorted((recorded.run_dir / "checkpoints").glob("step-*")) if recorded.run_dir else []
    last = max((entry.step for entry in recorded.entries[:-1]), default=0)
    starts = []
    for folder in folders:
        try:
            if (step := checkpoints.verify(folder)["step"]) < last:
                starts.append((folder, step))
        except CheckpointError:
            continue
    if not starts:
        raise LaunchError(
            f"{recorded.name}: has no checkpoint here from which its trail goes on. Name a run whose checkpoints were "
            "kept (trainer.keep_checkpoints), or use --steps."
        )
    folder, step = random.choice(starts)
    return folder, step, min(entry.step for entry in recorded.entries if entry.step > step)


def instructions(depends: Facts) -> dict[str, str]:
    """The variables of instruction sets that a record was made with, where this process has the project's own."""
    recorded = {name: value for name, value in depends.items() if name in cpu.AVX2 and value}
    return {name: value for name, value in recorded.items() if os.environ.get(name) == cpu.AVX2[name]}


def _run(request: replay.Request, tree: Path, folder: Path, root: Path, variables: dict[str, str]) -> replay.Outcome:
    """Train in a new process, with the tree's code and `variables` in its environment.

    Returns: what it found; if it fails, the last line of its output as `error`.
    """
    (folder / "request.json").write_text(json.dumps(request))
    path = os.pathsep.join(filter(None, (str(tree), os.environ.get("PYTHONPATH"))))
    place = {"PYTHONPATH": path, **({VARIABLE: str(tree)} if project_of(tree) else {})}
    environment = {**os.environ, **variables, **place}
    own = tree / "pipeline/actions/replay.py"  # it knows the package of its own commit
    script = own if own.is_file() else Path(replay.__file__)
    # With -P the modules beside the script do not hide libraries of the same name.
    command = [sys.executable, "-P", str(script), str(tree), str(folder)]
    with (folder / "log.txt").open("w+") as log:
        done = subprocess.run(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            log.seek(0)
            last = log.read().strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            return {"error": f"the repetition failed: {last[0]}", "kind": LaunchError.__name__}
    outcome: replay.Outcome = json.loads((folder / "outcome.json").read_text())
    return outcome


def _verdict(recorded: Recorded, outcome: replay.Outcome, model_dir: Path, steps: int | None) -> Reproduction:
    """Compare a repetition with the record."""
    if error := outcome.get("error"):
        about = {"data": (str(recorded.depends["data"])[:12], error)} if outcome.get("kind") == "DataError" else {}
        return Reproduction(recorded.name, "unverifiable", of=recorded.steps, differs=about, reason=error)
    manifest = checkpoints.verify(model_dir)
    now: Facts = {
        "code": outcome["code"],
        "data": manifest["data_digest"],
        "configuration": manifest["config_digest"],
        LOCK: outcome["lock"],
        **outcome["environment"],
    }
    compared = trail.compare(recorded.entries, trail.read(model_dir), steps)
    verdict, first, reason = compared.verdict, compared.first_difference, recorded.problem
    if recorded.problem and verdict != "different":
        verdict, first = "different", first or recorded.steps
    shared = recorded.metrics.keys() & outcome["metrics"].keys() if steps is None else set()
    return Reproduction(
        recorded.name,
        verdict,
        compared.steps,
        recorded.steps,
        first,
        differing(recorded.depends, now),
        {name: (recorded.metrics[name], outcome["metrics"][name]) for name in sorted(shared)},
        reason,
    )
