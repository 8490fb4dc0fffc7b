"""`python -m benchmarks.tracking`: what a slow tracking server costs a training step."""

from benchmarks.harness import PYTHON, Contender, Pair
from benchmarks.question import Claim, Question, main, ratio

WORDS = ("10", "model=cnn", "data=mnist", "data.allow_sample=false")
LOCAL, SLOW = "pipeline, MLflow in a file", "pipeline, a slow MLflow server"


def _beside(pair: Pair) -> float:
    return pair[SLOW]["beside_ms_per_step"] / pair[SLOW]["cpu_ms_per_step"]


QUESTION = Question(
    "tracking",
    "A slow tracking server",
    "The time of a training step, and its CPU-milliseconds with all threads, when MLflow is a data base beside it and "
    "when it is a server that takes a second longer for each answer. Both waver from run to run by more than is asked "
    "about; what can be told to some hundredths is `beside_ms_per_step`, the CPU-time of all threads but the one that "
    "trains.",
    (
        Contender(LOCAL, [*PYTHON, "benchmarks.contenders.steady", *WORDS]),
        Contender(SLOW, [*PYTHON, "benchmarks.contenders.slow_tracking", *WORDS]),
    ),
    (
        Claim("a step", ratio("ms_per_step", SLOW, LOCAL), 1.02, "{:.3f}x", least=False),
        Claim("CPU beside a step, of its CPU", _beside, 0.02, "{:.2%}", least=False),
        Claim("CPU of a step", ratio("cpu_ms_per_step", SLOW, LOCAL), 1.02, "{:.3f}x", least=False),
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "beside_ms_per_step"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
