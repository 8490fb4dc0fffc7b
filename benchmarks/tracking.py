"""`python -m benchmarks.tracking`: the cost of a slow tracking server for a training step."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender, Pair

WORDS = ("10", "model=cnn", "data=mnist", "data.allow_sample=false")
LOCAL, SLOW = "pipeline, MLflow in a file", "pipeline, a slow MLflow server"


def _beside(pair: Pair) -> float:
    return pair[SLOW]["beside_ms_per_step"] / pair[SLOW]["cpu_ms_per_step"]


BENCHMARK = Benchmark(
    "tracking",
    "A slow tracking server",
    "The time of a training step, and its CPU-milliseconds with all threads, with MLflow in a local database and "
    "with an MLflow server that responds a second later. Both vary between runs by more than the threshold. "
    "`beside_ms_per_step`, the CPU time of all threads but the one that trains, is measured to hundredths.",
    (
        Contender(LOCAL, [*PYTHON, "benchmarks.contenders.steady", *WORDS]),
        Contender(SLOW, [*PYTHON, "benchmarks.contenders.slow_tracking", *WORDS]),
    ),
    (
        Claim("time of a step, slow server / local", ratio("ms_per_step", SLOW, LOCAL), 1.02, "{:.3f}x", least=False),
        Claim("CPU of other threads, of a step's", _beside, 0.02, "{:.2%}", least=False),
        Claim(
            "CPU of a step, slow server / local", ratio("cpu_ms_per_step", SLOW, LOCAL), 1.02, "{:.3f}x", least=False
        ),
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "beside_ms_per_step"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
