"""`python -m benchmarks.noop`: `dvc repro` with nothing to do, and the page of results, in this very clone."""

import sys
from pathlib import Path

from benchmarks.harness import PIPELINE, ROOT, Contender, nothing
from benchmarks.question import Claim, Question, amount, main

REPRO, REPORT = "dvc repro quick", "pipeline report"
QUESTION = Question(
    "noop",
    "Nothing to do",
    "`dvc repro quick` where its results are up to date, and `pipeline report`, which writes the page of results. In a "
    "profile three quarters of `dvc repro --dry` went into reading dvc.lock, then 310 kB, twice in Python: 3.9 and 4.1 "
    "CPU-seconds, 2.4 since the C reader is installed (load 13 to 18). Of the report, half is imports (torch, for "
    "the claims, which train a few nets) and a quarter matplotlib's picture of the activation functions.",
    (
        Contender(REPRO, [str(Path(sys.executable).with_name("dvc")), "repro", "quick"], nothing, where=ROOT),
        Contender(REPORT, [*PIPELINE, "report"], nothing, where=ROOT),
    ),
    tuple(Claim(name, amount("wall_s", name), 5, "{:.1f} s", least=False) for name in (REPRO, REPORT)),
    shown=("wall_s", "cpu_s", "peak_mb"),
)

if __name__ == "__main__":
    main(QUESTION)
