"""`python -m benchmarks.shards`: what logical shards cost one worker, and what two workers gain with them."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender, Pair, last_line
from benchmarks.pipeline_train import training

CNN = ("model=cnn", "data=mnist", "data.allow_sample=false")
LSTM = ("model=lstm", "data=imdb", "data.max_tokens=100")  # which most reviews have, so that steps take equal times
LOADS = {"CNN at 128": (CNN, 128), "CNN at 512": (CNN, 512), "LSTM at 128": (LSTM, 128)}
WAYS = {"S=1": (1, 1), "S=2, W=1": (2, 1), "S=2, W=2": (2, 2)}  # shards, workers
SECONDS = "8"
START = ("data=mnist-5k", "model=cnn", "trainer.max_epochs=1", "trainer.shards=2")


def _steady(load: str, way: str) -> Contender:
    (words, batch), (shards, workers) = LOADS[load], WAYS[way]
    how = (f"data.batch_size={batch}", f"trainer.shards={shards}", f"cluster.workers={workers}")
    return Contender(f"{load}, {way}", [*PYTHON, "benchmarks.contenders.steady", SECONDS, *words, *how])


def _raylets(load: str) -> Contender:
    words, batch = LOADS[load]
    how = (f"data.batch_size={batch}", "trainer.shards=2")
    command = [*PYTHON, "benchmarks.contenders.raylets", SECONDS, "2", *words, *how]
    # CPU time is known of the driver only, which does not train.
    return Contender(
        f"{load}, two raylets", command, lambda outcome: {"ms_per_step": last_line(outcome)["ms_per_step"]}
    )


def _apart(load: str) -> str:
    return f"{load}, two processes apart"


def _alone(load: str) -> Contender:
    """Two processes at the same time, each with half a batch in one shard, that exchange nothing."""
    words, batch = LOADS[load]
    how = (f"data.batch_size={batch // 2}", "trainer.shards=1", "cluster.workers=1")
    return Contender(_apart(load), [*PYTHON, "benchmarks.contenders.copies", "2", "steady", SECONDS, *words, *how])


def limits(pairs: Sequence[Pair]) -> str:
    """A table of what two workers could gain on this machine if they had nothing to exchange, and what they do gain."""
    rows = ""
    for load in LOADS:
        gains = (
            median(pair[f"{load}, S=2, W=1"]["ms_per_step"] / pair[faster]["ms_per_step"] for pair in pairs)
            for faster in (_apart(load), f"{load}, S=2, W=2")
        )
        rows += f"| {load} | {' | '.join(f'{gain:.2f}x' for gain in gains)} |\n"
    return (
        "\nTwo processes that compute at the same time share caches, memory and the processor's clock. Against one "
        "worker with two shards, half a batch each:\n\n"
        f"| | two processes apart | two workers |\n| --- | --- | --- |\n{rows}"
    )


def _later(pair: Pair) -> float:
    """How much later two workers have made their first step than one."""
    return pair["start, W=2"]["before_s"] - pair["start, W=1"]["before_s"]


def _claims(load: str) -> tuple[Claim, ...]:
    one, two = f"{load}, S=2, W=1", f"{load}, S=2, W=2"
    cost: Callable[[Pair], float] = ratio("cpu_ms_per_step", one, f"{load}, S=1")
    return (
        Claim(f"{load}: two workers against one", ratio("ms_per_step", one, two), 1.75),
        Claim(f"{load}: CPU-seconds of two shards against one", cost, 1.15, least=False),
    )


BENCHMARK = Benchmark(
    "shards",
    "Logical shards",
    "The time of a step of `pipeline train`, over eight seconds of training (the LSTM on the last 100 words of "
    "reviews), with the same two shards a batch in one process, on two local workers and on two raylets of a Ray "
    "cluster on this machine, which all end with the same weights; with one shard; and in two processes apart, which "
    "exchange nothing. `before_s` runs from the start "
    "of the process to the end of the first step. [Determinism](explanation/determinism.md) describes shards.\n\n"
    "A shard of 64 images keeps a core's kernels less busy than one of 256: shards cost more at 128 than at 512. Two "
    "workers don't gain 2x, because two processes that exchange nothing don't either, and because at each step the "
    "faster worker waits for the slower. In turns of 1.5 s, the CNN at 512 took 64 ms a step on two workers, 58 if "
    "they exchanged without waiting, with wrong sums, and 59 in two processes apart (medians of 12 turns on model 1). "
    "Of the LSTM's 150 ms, 137 are the passes of a worker's shard, 7 the exchange of 10 MB with its waits, and 10 the "
    "optimiser and the next batch (timers of one run). The machine is noisy: the same contender takes up to a third "
    "longer in another pair. On model 17 two workers gained 1.69x, 1.79x and 1.69x (n=5), before they wrote gradients "
    "straight into shared memory, and when a step still left its batch to Python's search for cycles. On raylets the "
    "workers wait a sixth of a step for gloo's exchange, and Ray's own processes take 8 % of a core (threads of one "
    "run, by /proc).",
    (
        *(_steady(load, way) for load in LOADS for way in WAYS),
        *map(_alone, LOADS),
        _raylets("CNN at 512"),
        *(training(f"start, W={count}", *START, f"cluster.workers={count}") for count in (1, 2)),
    ),
    (
        *(claim for load in LOADS for claim in _claims(load)),
        Claim(
            "CNN at 512: two raylets of a Ray cluster against one worker",
            ratio("ms_per_step", "CNN at 512, S=2, W=1", "CNN at 512, two raylets"),
            1.6,
        ),
        Claim("the first step of two workers comes later by", _later, 1.5, "{:.1f} s", least=False),
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "before_s"),
    warm=("experiment=mlp_xor",),
    more=limits,
)

if __name__ == "__main__":
    main(BENCHMARK)
