"""`python -m benchmarks.stages`: CPU-seconds of `pipeline train` by stage."""

from benchmarks.benchmark import Benchmark, main
from benchmarks.harness import PYTHON, Contender

STAGES = (
    *("imports", "configuration", "data", "steps", "validation", "checkpoints", "test and pictures", "portable model"),
    *("beside (MLflow)", "rest"),
)
BEFORE = "d9811d7"  # the last commit before these stages were optimised
WORDS = ("benchmarks.contenders.stages", "experiment=mnist_fast", "seed={pair}")
BENCHMARK = Benchmark(
    "stages",
    "CPU-seconds by stage",
    "CPU-seconds of `pipeline train experiment=mnist_fast` by stage, now and before they were optimised (commit "
    f"{BEFORE}, with the recipe of that time). *Imports* are of torch, Lightning and Ray. *Beside* is the process "
    "that imports MLflow and writes to its database.",
    (
        Contender("before", [*PYTHON, "benchmarks.contenders.at_commit", BEFORE, *WORDS]),
        Contender("pipeline", [*PYTHON, *WORDS]),
    ),
    (),
    shown=STAGES,
    parts=True,
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
