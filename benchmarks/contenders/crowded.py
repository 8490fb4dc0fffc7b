"""`steady` with more local workers than this machine has cores; `pipeline train`, which refuses that, is told of more.

`python -m benchmarks.contenders.crowded SECONDS WORKERS OVERRIDE…`, in the folder of a project.
"""

import sys

from benchmarks.contenders import steady

TOLD = "import os; os.sched_getaffinity = lambda pid: range({}); from pipeline.cli import main; main()"


def main(seconds: float, workers: int, *overrides: str) -> None:
    command = (sys.executable, "-c", TOLD.format(workers), "train")
    steady.main(seconds, *overrides, f"cluster.workers={workers}", command=command)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
