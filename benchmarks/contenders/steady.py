"""`pipeline train` for some seconds of steps, then asked to stop: how fast its steps are once it runs.

`python -m benchmarks.contenders.steady SECONDS OVERRIDE…`, in the folder of a project.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.contenders.common import tell

START_S = 900  # that a first step may take on a busy machine
WARM_S = 3  # of steps that are not counted


def main(seconds: float, *overrides: str) -> None:
    known = set(Path("runs").glob("*"))
    with Path("steady.log").open("w") as log:
        child = subprocess.Popen([sys.executable, "-m", "pipeline", "train", *overrides], stdout=log, stderr=log)
    try:
        first = _event(child, known, after=0.0)
        one = _event(child, known, after=first["time"] + WARM_S)
        cpu_one, beside_one = _cpu_s(child.pid), _beside_s(child.pid)
        two = _event(child, known, after=one["time"] + seconds)
        cpu_two, beside_two = _cpu_s(child.pid), _beside_s(child.pid)
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
    steps = two["step"] - one["step"]
    per_step = (two["time"] - one["time"]) / steps
    tell(
        steps=steps,
        ms_per_step=1000 * per_step,
        cpu_ms_per_step=1000 * (cpu_two - cpu_one) / steps,
        beside_ms_per_step=1000 * (beside_two - beside_one) / steps,
    )


def _cpu_s(pid: int) -> float:
    """Of a process and its children; what children that have ended took is not in it."""
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def _beside_s(pid: int) -> float:
    """Of all threads of a process but its first, which trains."""
    return sum(one.user_time + one.system_time for one in psutil.Process(pid).threads() if one.id != pid)


def _event(child: "subprocess.Popen[bytes]", known: set[Path], *, after: float) -> dict[str, Any]:
    """The first progress of the new run after a time, as soon as it is there."""
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
    """The whole lines that a file has by now."""
    return [line for line in file.read_text().splitlines(True) if line.endswith("\n")] if file.is_file() else []


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
