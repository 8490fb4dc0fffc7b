"""`python -m benchmarks.workers`: two workers and one on two cores, at the same global batch."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender

MODELS = {"cnn": ("model=cnn", "data=mnist", "data.allow_sample=false"), "lstm": ("model=lstm", "data=imdb")}
BATCHES = {"cnn": 512, "lstm": 128}
ONE, TWO, ALONE = "{}, 1 worker", "{}, 2 workers", "{}, half the batch, two runs at once"


def _contenders(model: str) -> tuple[Contender, ...]:
    words = {
        ONE: ("steady", "10", f"data.batch_size={BATCHES[model]}"),
        TWO: ("steady", "10", f"data.batch_size={BATCHES[model]}", "cluster.workers=2"),
        ALONE: ("copies", "2", "steady", "10", f"data.batch_size={BATCHES[model] // 2}"),
    }
    return tuple(
        Contender(name.format(model), [*PYTHON, f"benchmarks.contenders.{contender}", *more, *MODELS[model]])
        for name, (contender, *more) in words.items()
    )


BENCHMARK = Benchmark(
    "workers",
    "Two workers on two cores",
    "The time of a step over ten seconds of training, of `pipeline train` in one process and as a Ray Train group "
    "of two (gloo, one thread each), at the same global batch: 512 images, 128 reviews.\n\n"
    "The first limit is that half a batch takes more than half the time, and that the cores share cache and memory: "
    "two independent runs of half the batch are only as much faster as the table shows. For the LSTM that is the "
    "whole limit at large batches: with 512 reviews two such runs were 1.57 times as fast, two workers 1.59.\n\n"
    "The CNN's steps are short enough for communication to count. Two processes with Lightning and DDP, without "
    "Ray, took 36.3 to 36.7 ms a step where two independent runs took 28.3 to 29.2: 2 to 3 ms more computation, the "
    "rest waiting for each other and for .9 MB of gradients, whose copying takes both cores. Buckets of .25 MB "
    "during the backward pass did not help: 39.2 and 42.2 ms, 37.9 and 39.8 without in the same minutes. Ray's own "
    "processes take 7% of a core when idle.\n\n"
    "Solved since: a worker faulted in thousands of pages in each step ([decisions](decisions.md)), and waited for "
    "the agreement on checkpoints and for batch norm's running means.",
    tuple(contender for model in MODELS for contender in _contenders(model)),
    tuple(
        Claim(f"{model}: {what}", ratio("ms_per_step", ONE.format(model), other.format(model)), 1.7)
        for model in MODELS
        for what, other in (("speed-up by two workers", TWO), ("speed-up by two independent runs", ALONE))
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "steps", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
