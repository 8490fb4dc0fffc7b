"""`python -m benchmarks.workers`: two workers against one on two cores, of the same global batch."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Claim, Question, main, ratio

MODELS = {"cnn": ("model=cnn", "data=mnist", "data.allow_sample=false"), "lstm": ("model=lstm", "data=imdb")}


def _steady(name: str, workers: int) -> Contender:
    words = [*PYTHON, "benchmarks.contenders.steady", "10", *MODELS[name], f"cluster.workers={workers}"]
    return Contender(f"pipeline, {name}, {workers}", words)


QUESTION = Question(
    "workers",
    "Two workers against one on two cores",
    "The time of a step, taken over ten seconds of training, of `pipeline train` in one process and as a Ray Train "
    "group of two (gloo, one thread each), of the same global batch.",
    tuple(_steady(name, workers) for name in MODELS for workers in (1, 2)),
    tuple(
        Claim(f"{name}: faster", ratio("ms_per_step", f"pipeline, {name}, 1", f"pipeline, {name}, 2"), 1.7)
        for name in MODELS
    ),
    shown=("ms_per_step", "steps", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
