"""`python -m benchmarks.verbs`: latency of short commands, beside those of the libraries."""

import sys
from pathlib import Path

from benchmarks.benchmark import Benchmark, Claim, amount, main
from benchmarks.harness import PIPELINE, ROOT, Contender, no_figures

HELP, ERROR, SHOW, CLAIMS = "pipeline --help", "a config error", "pipeline data show", "pipeline claims"
LISTINGS = ("pipeline config", "pipeline runs", "pipeline doctor")


def _installed(command: str) -> Contender:
    return Contender(f"{command} --help", [str(Path(sys.executable).with_name(command)), "--help"], no_figures)


BENCHMARK = Benchmark(
    "verbs",
    "Short commands",
    "`pipeline data show` reads and verifies all of `data/`, 207 MB. A configuration error takes Hydra's import and "
    "the composition that fails; the suggested key is looked up in what was composed until then. "
    "`pipeline claims` imports torch once for each version of the code.",
    (
        Contender(HELP, [*PIPELINE, "--help"], no_figures),
        Contender(ERROR, [*PIPELINE, "train", "trainer.max_epoch=3"], no_figures, exits=2),
        Contender(SHOW, [*PIPELINE, "data", "show"], no_figures),
        *(Contender(name, [*PIPELINE, *name.split()[1:]], no_figures) for name in LISTINGS),
        Contender(CLAIMS, [*PIPELINE, "claims"], no_figures, where=ROOT),
        *map(_installed, ("dvc", "ray", "mlflow")),
    ),
    (
        *(Claim(name, amount("wall_s", name), 0.6, "{:.2f} s", least=False) for name in (HELP, ERROR, SHOW)),
        *(Claim(name, amount("wall_s", name), 1, "{:.2f} s", least=False) for name in (*LISTINGS, CLAIMS)),
    ),
    shown=("wall_s", "cpu_s"),
    pairs=10,
)

if __name__ == "__main__":
    main(BENCHMARK)
