"""`python -m benchmarks.repro`: `pipeline repro` beside `dvc repro`, with work for two cores and with nothing to do."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender

CONTENDERS = {
    (what, tool): Contender(f"{tool} repro, {label}", [*PYTHON, "benchmarks.contenders.graph", what, tool])
    for what, label in (
        ("twelve", "12 stages"),
        ("waiting", "12 stages that wait"),
        ("whole", "nothing to do"),
    )
    for tool in ("dvc", "pipeline")
}
BENCHMARK = Benchmark(
    "repro",
    "Stages in parallel",
    "Twelve stages that each keep one core busy for some seconds, by `dvc repro` and `pipeline repro --jobs 2` on two "
    "cores. Other work on these cores lowers this ratio, which can't be more than their share; twelve stages that "
    "wait for 4 s instead show what the two programs add. Then this project's whole graph, all of it up to date; there "
    "each command is replaced by one that writes the same outputs at once. `repro_s` is the wall time of the command "
    "alone.",
    tuple(CONTENDERS.values()),
    (
        *(
            Claim(
                f"{label}: dvc / pipeline",
                ratio("repro_s", CONTENDERS[what, "dvc"].name, CONTENDERS[what, "pipeline"].name),
                1.8,
            )
            for what, label in (("twelve", "12 stages"), ("waiting", "12 stages that wait"))
        ),
        Claim(
            "nothing to do: pipeline / dvc",
            ratio("repro_s", CONTENDERS["whole", "pipeline"].name, CONTENDERS["whole", "dvc"].name),
            1.2,
            least=False,
        ),
    ),
    shown=("repro_s", "cpu_s"),
)

if __name__ == "__main__":
    main(BENCHMARK)
