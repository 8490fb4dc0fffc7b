"""`python -m benchmarks.noop`: `dvc repro` with nothing to do, and the page of results, in this clone."""

import sys
from pathlib import Path

from benchmarks.benchmark import Benchmark, Claim, amount, main
from benchmarks.harness import PIPELINE, ROOT, Contender, no_figures

REPRO, REPORT = "dvc repro quick", "pipeline report"
BENCHMARK = Benchmark(
    "noop",
    "Nothing to do",
    "`dvc repro quick` where its results are up to date, and `pipeline report`, which writes the page of results. "
    "In a profile, three quarters of `dvc repro --dry` were spent reading dvc.lock, then 310 kB, twice in Python: "
    "3.9 and 4.1 CPU-seconds, 2.4 with the C reader installed (load 13 to 18). Half of the report is imports "
    "(torch, for the claims, which train a few nets), and a quarter is matplotlib's figure of the activation "
    "functions.",
    (
        Contender(REPRO, [str(Path(sys.executable).with_name("dvc")), "repro", "quick"], no_figures, where=ROOT),
        Contender(REPORT, [*PIPELINE, "report"], no_figures, where=ROOT),
    ),
    tuple(Claim(name, amount("wall_s", name), 5, "{:.1f} s", least=False) for name in (REPRO, REPORT)),
    shown=("wall_s", "cpu_s", "peak_mb"),
)

if __name__ == "__main__":
    main(BENCHMARK)
