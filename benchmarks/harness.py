"""Run contenders in turn and save the cost of each run, so that an interrupted measurement resumes.

Every run is a process of its own. A pair is one run of each contender, in immediate succession, in an order that
rotates from pair to pair: a load on the machine slows all contenders alike.
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
SUBREAPER, REAP_S = 36, 30  # prctl's number; how long daemons of a contender may take to end


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished process."""

    stdout: str
    started: float  # seconds since the epoch
    ended: float
    cpu_s: float  # of it and of all that it started
    peak_mb: float  # of its largest process


def last_line(outcome: Outcome) -> dict[str, Any]:
    """The figures that a contender printed; output of Ray's workers may follow them."""
    lines = [line for line in outcome.stdout.splitlines() if line.startswith("{")]
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def no_figures(outcome: Outcome) -> dict[str, Any]:
    """No figures: of this command only the cost is measured."""
    return {}


@dataclass(frozen=True, slots=True)
class Contender:
    """A command and how its figures are read; `{pair}` in a word is replaced by the pair's number, the seed."""

    name: str
    words: Sequence[str]
    read: Callable[[Outcome], dict[str, Any]] = last_line
    env: tuple[tuple[str, str], ...] = ()
    exits: int = 0
    where: Path | None = None  # the folder it runs in; None: a project of its own


def execute(contender: Contender, number: int, folder: Path) -> Outcome:
    """Run a contender. Raises: RuntimeError with its output, if it exits with another code than `exits`."""
    words = [word.replace("{pair}", str(number)) for word in contender.words]
    env = {
        **os.environ,
        **cpu.fix_instructions(),
        "OMP_NUM_THREADS": str(os.cpu_count()),
        "BENCHMARK_DATA": str(DATA),
        "PYTHONPATH": str(ROOT),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # so that imports cost what they cost a user
    # Orphaned daemons become children of this process, so that their cost is counted.
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
        output = out.read()
    if child.returncode != contender.exits:
        raise RuntimeError(f"{' '.join(words)} in {folder}: exit {child.returncode}\n{output[-3000:]}")
    usages = [usage, *_orphans()]
    cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Outcome(output, started, ended, cpu_s, max(usage.ru_maxrss for usage in usages) / 1024)


def _orphans() -> list[Any]:
    """The resource usage of daemons that a contender started and did not wait for."""
    usages, until = [], time.monotonic() + REAP_S
    while time.monotonic() < until:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            usages.append(usage)
        else:
            time.sleep(0.1)
    return usages


def measure(contender: Contender, number: int, folder: Path) -> Figures:
    """One run: cpu_s, wall_s, peak_mb and its own figures; before_s and after_s if it has steps."""
    load = os.getloadavg()[0]
    outcome = execute(contender, number, folder)
    figures = contender.read(outcome)
    if "first_step" in figures:
        figures["before_s"] = figures.pop("first_step") - outcome.started
        figures["after_s"] = outcome.ended - figures.pop("last_step")
    spent = {"cpu_s": outcome.cpu_s, "wall_s": outcome.ended - outcome.started, "peak_mb": outcome.peak_mb}
    return {name: round(value, 4) for name, value in {**spent, **figures, "load": load}.items()}


def compare(name: str, contenders: Sequence[Contender], pairs: int, *, warm: Sequence[str] = ()) -> None:
    """Measure until there are `pairs` pairs; each run is saved as it ends.

    What the words of each line of `warm` describe is trained first, uncounted.
    """
    measured = load(name)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder = project(Path(scratch))
        for words in warm:
            execute(Contender("warm-up", [*PIPELINE, "train", *words.split()]), 0, folder)
        for number in range(pairs):
            measured += [{}] if number == len(measured) else []
            turn = number % len(contenders)
            for contender in [*contenders[turn:], *contenders[:turn]]:
                if contender.name in measured[number]:
                    continue
                measured[number][contender.name] = measure(contender, number, folder)
                save(name, measured)
                print(f"{name} {number + 1}/{pairs} {contender.name}: {measured[number][contender.name]}", flush=True)


def project(folder: Path) -> Path:
    """A project with data and configuration only, in which contenders run."""
    for name in ("conf", "data", "data.dvc"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def load(name: str) -> list[Pair]:
    """The pairs measured so far; the last one may lack contenders."""
    file = RESULTS / f"{name}.json"
    pairs: list[Pair] = json.loads(file.read_text())["pairs"] if file.is_file() else []
    return pairs


def save(name: str, pairs: list[Pair]) -> None:
    """Write the pairs with machine and versions, whole or not at all."""
    installed = {package.name: package.version for package in distributions()}
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
    """Write MNIST's images and labels for the contenders, split as the pipeline splits them."""
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
