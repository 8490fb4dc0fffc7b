"""Time of a step of `pipeline train` in the steady state, over SECONDS seconds, then Ctrl-C.

`python -m benchmarks.contenders.steady SECONDS OVERRIDE…`, in the folder of a project.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.contenders.common import WARM_S, cpu_s, report

START_S = 900  # the longest that a first step may take on a busy machine


def main(seconds: float, *overrides: str, command: Sequence[str] = (sys.executable, "-m", "pipeline", "train")) -> None:
    known = set(Path("runs").glob("*"))
    with Path("steady.log").open("w") as log:
        child = subprocess.Popen([*command, *overrides], stdout=log, stderr=log)
    try:
        first = _event(child, known, after=0.0)
        begin = _event(child, known, after=first["time"] + WARM_S)
        begin_cpu, begin_beside = cpu_s(child.pid), _beside_s(child.pid)
        end = _event(child, known, after=begin["time"] + seconds)
        end_cpu, end_beside = cpu_s(child.pid), _beside_s(child.pid)
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
    steps = end["step"] - begin["step"]
    per_step = (end["time"] - begin["time"]) / steps
    report(
        steps=steps,
        ms_per_step=1000 * per_step,
        cpu_ms_per_step=1000 * (end_cpu - begin_cpu) / steps,
        beside_ms_per_step=1000 * (end_beside - begin_beside) / steps,
    )


def _beside_s(pid: int) -> float:
    """CPU-seconds of all threads of a process but the first, which trains."""
    return sum(each.user_time + each.system_time for each in psutil.Process(pid).threads() if each.id != pid)


def _event(child: "subprocess.Popen[bytes]", known: set[Path], *, after: float) -> dict[str, Any]:
    """Wait for the first progress event of the new run after a time."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and child.poll() is None:
        for folder in set(Path("runs").glob("*")) - known:
            for line in _lines(folder / "events.jsonl"):
                event: dict[str, Any] = json.loads(line)
                if "total" in event and event["time"] > after:
                    return event
        time.sleep(0.1)
    raise RuntimeError(f"no step: {Path('steady.log').read_text()[-2000:]}")


def _lines(file: Path) -> list[str]:
    """The complete lines of a file that is being written."""
    return [line for line in file.read_text().splitlines(True) if line.endswith("\n")] if file.is_file() else []


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
