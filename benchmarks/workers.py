"""`python -m benchmarks.workers`: two workers against one on two cores, of the same global batch."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Claim, Question, main, ratio

MODELS = {"cnn": ("model=cnn", "data=mnist", "data.allow_sample=false"), "lstm": ("model=lstm", "data=imdb")}
BATCHES = {"cnn": 512, "lstm": 128}
ONE, TWO, ALONE = "{}, 1 worker", "{}, 2 workers", "{}, half the batch, two runs at once"


def _contenders(model: str) -> tuple[Contender, ...]:
    words = {
        ONE: ("steady", "10", f"data.batch_size={BATCHES[model]}"),
        TWO: ("steady", "10", f"data.batch_size={BATCHES[model]}", "cluster.workers=2"),
        ALONE: ("at_once", "2", "steady", "10", f"data.batch_size={BATCHES[model] // 2}"),
    }
    return tuple(
        Contender(name.format(model), [*PYTHON, f"benchmarks.contenders.{contender}", *more, *MODELS[model]])
        for name, (contender, *more) in words.items()
    )


QUESTION = Question(
    "workers",
    "Two workers against one on two cores",
    "The time of a step, taken over ten seconds of training, of `pipeline train` in one process and as a Ray Train "
    "group of two (gloo, one thread each), of the same global batch: 512 images, 128 reviews.\n\nWhat limits it is, "
    "first, that half a batch takes more than half the time, and that the cores share cache and memory: two runs of "
    "half the batch that have nothing to do with each other are as much faster as the table says. For the LSTM that "
    "is all where batches are large: with 512 reviews two such runs were 1.57 times as fast, two workers 1.59. The "
    "CNN's steps are short enough for the rest to count. Two processes with Lightning and DDP, and without Ray, took "
    "36.3 to 36.7 ms a step where two runs took 28.3 to 29.2: 2 to 3 ms more of computing, the rest waiting for each "
    "other and for .9 MB of gradients, whose copying takes both cores. Sending them in buckets of .25 MB during the "
    "backward pass did not help: 39.2 and 42.2 ms, beside 37.9 and 39.8 without in the same minutes. Ray's own "
    "processes take 7% of a core while nothing happens. Until now a worker also found thousands of pages of its "
    "memory missing in each step ([decisions](decisions.md)), waited until all agreed whether to keep the state, and "
    "for batch norm's running means.",
    tuple(contender for model in MODELS for contender in _contenders(model)),
    tuple(
        Claim(f"{model}: {what}", ratio("ms_per_step", ONE.format(model), other.format(model)), 1.7)
        for model in MODELS
        for what, other in (("two workers are faster", TWO), ("two runs at once would be", ALONE))
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "steps", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
