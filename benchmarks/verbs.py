"""`python -m benchmarks.verbs`: latency of short commands, beside those of the libraries."""

import sys
from pathlib import Path

from benchmarks.benchmark import Benchmark, Claim, amount, main
from benchmarks.harness import PIPELINE, Contender, no_figures

HELP, ERROR, SHOW = "pipeline --help", "a config error", "pipeline data show"


def _installed(command: str) -> Contender:
    return Contender(f"{command} --help", [str(Path(sys.executable).with_name(command)), "--help"], no_figures)


BENCHMARK = Benchmark(
    "verbs",
    "Short commands",
    "`pipeline data show` reads and verifies all of `data/`, 207 MB. A configuration error takes Hydra's import and "
    "the composition that fails; the suggested key is looked up in what was composed until then.",
    (
        Contender(HELP, [*PIPELINE, "--help"], no_figures),
        Contender(ERROR, [*PIPELINE, "train", "trainer.max_epoch=3"], no_figures, exits=2),
        Contender(SHOW, [*PIPELINE, "data", "show"], no_figures),
        *map(_installed, ("dvc", "ray", "mlflow")),
    ),
    tuple(Claim(name, amount("wall_s", name), 0.6, "{:.2f} s", least=False) for name in (HELP, ERROR, SHOW)),
    shown=("wall_s", "cpu_s"),
    pairs=10,
)

if __name__ == "__main__":
    main(BENCHMARK)
