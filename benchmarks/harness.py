"""Runs contenders side by side and keeps what each run cost, so that an interrupted measurement goes on.

Every run is a process of its own. A pair is one run of each contender, one right after the other, in an order that
turns from pair to pair: what slows the machine down for a while slows all of them.
"""

import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pipeline.training import cpu

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
DATA = ROOT / ".cache/benchmarks"
PYTHON = (sys.executable, "-m")
PIPELINE = (*PYTHON, "pipeline")
Figures = dict[str, float]
Pair = dict[str, Figures]  # by contender
SUBREAPER, REAP_S = 36, 30  # prctl's number; how long what a contender left behind may take to end


@dataclass(frozen=True, slots=True)
class Outcome:
    """One process that has ended."""

    stdout: str
    started: float  # seconds since the epoch
    ended: float
    cpu_s: float  # its own and of all it started
    peak_mb: float  # of its largest process


def last_line(outcome: Outcome) -> dict[str, Any]:
    """What a contender tells; what Ray's workers print may still come after it."""
    lines = [line for line in outcome.stdout.splitlines() if line.startswith("{")]
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def nothing(outcome: Outcome) -> dict[str, Any]:
    """For commands whose cost is all there is to know."""
    return {}


@dataclass(frozen=True, slots=True)
class Contender:
    """A command and how its figures are read; "{pair}" in a word is the pair's number, which serves as the seed."""

    name: str
    words: Sequence[str]
    read: Callable[[Outcome], dict[str, Any]] = last_line
    env: tuple[tuple[str, str], ...] = ()
    exits: int = 0
    where: Path | None = None  # the folder it runs in; None: a project of its own


def execute(contender: Contender, number: int, folder: Path) -> Outcome:
    """Raises: RuntimeError with what the command said, if it does not exit as it should."""
    words = [word.replace("{pair}", str(number)) for word in contender.words]
    env = {
        **os.environ,
        **cpu.fix_instructions(),
        "OMP_NUM_THREADS": "1",
        "BENCHMARK_DATA": str(DATA),
        "PYTHONPATH": str(ROOT),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # imports cost what they cost a user
    # What daemons leave behind comes to this process, which then knows what they cost.
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile("w+") as out:
        started = time.time()
        child = subprocess.Popen(
            words,
            cwd=contender.where or folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**env, **dict(contender.env)},
        )
        _, status, usage = os.wait4(child.pid, 0)
        ended = time.time()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if child.returncode != contender.exits:
        raise RuntimeError(f"{' '.join(words)} in {folder}: exit {child.returncode}\n{said[-3000:]}")
    usages = [usage, *_left_behind()]
    cpu_s = sum(one.ru_utime + one.ru_stime for one in usages)
    return Outcome(said, started, ended, cpu_s, max(one.ru_maxrss for one in usages) / 1024)


def _left_behind() -> list[Any]:
    """The resource usage of daemons that a contender started and did not wait for."""
    found, until = [], time.monotonic() + REAP_S
    while time.monotonic() < until:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            found.append(usage)
        else:
            time.sleep(0.1)
    return found


def measure(contender: Contender, number: int, folder: Path) -> Figures:
    """One run: cpu_s, wall_s, peak_mb, and what it tells; before_s and after_s if it tells its first and last step."""
    load = os.getloadavg()[0]
    outcome = execute(contender, number, folder)
    told = contender.read(outcome)
    if "first_step" in told:
        told["before_s"] = told.pop("first_step") - outcome.started
        told["after_s"] = outcome.ended - told.pop("last_step")
    spent = {"cpu_s": outcome.cpu_s, "wall_s": outcome.ended - outcome.started, "peak_mb": outcome.peak_mb}
    return {name: round(value, 4) for name, value in {**spent, **told, "load": load}.items()}


def compare(name: str, contenders: Sequence[Contender], pairs: int, *, warm: Sequence[str] = ()) -> None:
    """Measure until there are so many pairs; each run is saved as it ends. `warm` is trained first, and not counted."""
    pairs_kept = kept(name)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder = project(Path(scratch))
        if warm:
            execute(Contender("warm-up", [*PIPELINE, "train", *warm]), 0, folder)
        for number in range(pairs):
            pairs_kept += [{}] if number == len(pairs_kept) else []
            turn = number % len(contenders)
            for contender in [*contenders[turn:], *contenders[:turn]]:
                if contender.name in pairs_kept[number]:
                    continue
                pairs_kept[number][contender.name] = measure(contender, number, folder)
                keep(name, pairs_kept)
                print(f"{name} {number + 1}/{pairs} {contender.name}: {pairs_kept[number][contender.name]}", flush=True)


def project(folder: Path) -> Path:
    """A project with the data and nothing else: what contenders run in."""
    for name in ("conf", "data", "data.dvc"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def kept(name: str) -> list[Pair]:
    """What was measured so far; the last pair may lack contenders."""
    file = RESULTS / f"{name}.json"
    pairs: list[Pair] = json.loads(file.read_text())["pairs"] if file.is_file() else []
    return pairs


def keep(name: str, pairs: list[Pair]) -> None:
    """Write what was measured, whole or not at all."""
    installed = {one.name: one.version for one in distributions()}
    used = [name for name in ("torch", "lightning", "ray", "mlflow", "keras") if name in installed]  # keras is optional
    versions = {"python": platform.python_version()} | {name: installed[name] for name in used}
    content = {
        "machine": cpu.describe(),
        "versions": versions,
        "pairs": pairs,
    }
    RESULTS.mkdir(exist_ok=True)
    aside = RESULTS / f".{name}.json"
    aside.write_text(json.dumps(content, indent=1) + "\n")
    aside.replace(RESULTS / f"{name}.json")


def mnist() -> None:
    """Write what the contenders read: MNIST's images and labels, split as the pipeline splits them."""
    import numpy as np

    from pipeline.config import build_data, load_config, resolve

    if (DATA / "mnist.npz").is_file():
        return
    data: Any = build_data(resolve(load_config("data=mnist", "model=cnn")), ROOT / "data")
    data.setup()
    arrays: dict[str, Any] = {}
    for split, (images, labels) in data.splits.items():
        arrays |= {f"{split}_images": images.squeeze(1).numpy(), f"{split}_labels": labels.numpy()}
    DATA.mkdir(parents=True, exist_ok=True)
    np.savez(DATA / ".mnist.npz", **arrays)
    (DATA / ".mnist.npz").replace(DATA / "mnist.npz")
