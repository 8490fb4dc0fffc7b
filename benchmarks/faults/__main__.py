"""`python -m benchmarks.faults [NAME…] [--times N] [--again]`: see the package."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.faults import cluster, data, loop, process, tracking
from benchmarks.faults.attacks import ATTACKS
from benchmarks.faults.fault import ROOT, Fault
from benchmarks.faults.page import render

FAULTS = [*process.FAULTS, *loop.FAULTS, *data.FAULTS, *cluster.FAULTS, *tracking.FAULTS]


def main() -> None:
    measured = {fault.name: fault for fault in FAULTS if fault.measure}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(measured)}, or all")
    parser.add_argument("--times", type=int, default=50, help="number of trials of each measurement")
    parser.add_argument("--again", action="store_true", help="discard earlier trials")
    arguments = parser.parse_args()
    names = list(measured) if arguments.names == ["all"] else arguments.names
    if unknown := set(names) - set(measured):
        sys.exit(f"unknown measurement {', '.join(sorted(unknown))}. Choose from {', '.join(measured)}.")
    for name in names:
        take(measured[name], arguments.times, again=arguments.again)
    page = ROOT / "docs/faults.md"
    page.write_text(render(FAULTS, ATTACKS), encoding="utf-8")
    print(page.relative_to(ROOT))


def take(fault: Fault, times: int, *, again: bool) -> None:
    """Inject a fault until there are `times` trials; each is saved as it ends."""
    assert fault.measure
    trials = [] if again else fault.trials()
    for number in range(len(trials), times):
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            trials.append(fault.measure(Path(folder), random.Random(number)))
        fault.save(trials)
        print(f"{fault.name} {number + 1}/{times}: {trials[-1]}", flush=True)


if __name__ == "__main__":
    main()
