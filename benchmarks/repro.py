"""`python -m benchmarks.repro`: `pipeline repro` beside `dvc repro`, with work for two cores and with nothing to do."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender

CONTENDERS = {
    (what, tool): Contender(f"{tool} repro, {label}", [*PYTHON, "benchmarks.contenders.graph", what, tool])
    for what, label in (("twelve", "12 stages"), ("whole", "nothing to do"))
    for tool in ("dvc", "pipeline")
}
BENCHMARK = Benchmark(
    "repro",
    "Stages in parallel",
    "Twelve stages that each keep one core busy for some seconds, by `dvc repro` and by `pipeline repro --jobs 2` on "
    "two cores. Then this project's whole graph, all of it up to date; there each command is replaced by one that "
    "writes the same outputs at once. `repro_s` is the wall time of the command alone.",
    tuple(CONTENDERS.values()),
    (
        Claim(
            "12 stages: dvc / pipeline",
            ratio("repro_s", CONTENDERS["twelve", "dvc"].name, CONTENDERS["twelve", "pipeline"].name),
            1.8,
        ),
        Claim(
            "nothing to do: pipeline / dvc",
            ratio("repro_s", CONTENDERS["whole", "pipeline"].name, CONTENDERS["whole", "dvc"].name),
            1.2,
            least=False,
        ),
    ),
    shown=("repro_s",),
)

if __name__ == "__main__":
    main(BENCHMARK)
