"""`python -m benchmarks.scaling`: a model of a step's time, validated on this machine and extrapolated to clusters."""

from collections.abc import Callable, Sequence
from math import log2
from statistics import median

from benchmarks.benchmark import Benchmark, Claim, main
from benchmarks.harness import PYTHON, Contender, Pair

CORES, BATCH, SHARDS, NUMBERS = 2, 512, 4, 230_500  # of this machine; global; a batch's; a step's sums of `model=cnn`
COMPUTE_MS = 18  # of a worker between two exchanges that are measured: about a shard's
LINK_BITS_S, LATENCY_S = 10e9, 50e-6  # assumed of a cluster: 10 Gbit/s Ethernet
COUNTS = (1, 2, 4)  # of workers here
WORKERS = (8, 16, 64, 256, 1024)  # elsewhere
TRAINED = ("model=cnn", "data=mnist", "data.allow_sample=false")


def _compute(workers: int) -> str:
    return f"a worker of {workers}, alone"


def _measured(workers: int) -> str:
    return f"pipeline, workers: {workers}"


def _exchange(workers: int) -> str:
    return f"exchange of {workers}"


def _alone(workers: int) -> Contender:
    """As many processes as workers, each with what a worker computes and nobody to exchange it with."""
    share = (f"data.batch_size={BATCH // workers}", f"trainer.shards={SHARDS // workers}", "cluster.workers=1")
    words = ("benchmarks.contenders.copies", str(workers), "steady", "6", *TRAINED, *share)
    return Contender(_compute(workers), [*PYTHON, *words])


def _pipeline(workers: int) -> Contender:
    shared = (f"data.batch_size={BATCH}", f"trainer.shards={SHARDS}")
    words = ("benchmarks.contenders.crowded", "6", str(workers), *TRAINED, *shared)
    return Contender(_measured(workers), [*PYTHON, *words])


def _sum(workers: int) -> Contender:
    words = ("benchmarks.contenders.exchange", *map(str, (workers, NUMBERS, COMPUTE_MS, CORES)))
    return Contender(_exchange(workers), [*PYTHON, *words])


def predicted_ms(pair: Pair, workers: int) -> float:
    """A worker's shards, then the exchange."""
    return pair[_compute(workers)]["ms_per_step"] + (pair[_exchange(workers)]["ms_per_step"] if workers > 1 else 0)


def _error(workers: int) -> Callable[[Pair], float]:
    return lambda pair: abs(predicted_ms(pair, workers) / pair[_measured(workers)]["ms_per_step"] - 1)


def extrapolated(pairs: Sequence[Pair]) -> str:
    """A table of clusters with one shard and one core a worker."""
    crowding = COUNTS[-1] / CORES  # workers that shared a core
    compute_s = median(pair[_compute(COUNTS[-1])]["ms_per_step"] for pair in pairs) / crowding / 1000
    rows, share = "", BATCH // SHARDS
    for workers in WORKERS:
        depth = int(log2(workers))
        exchange_s = depth * (LATENCY_S + 32 * NUMBERS / LINK_BITS_S)
        step_s = compute_s + exchange_s
        rows += f"| {workers:,} | {depth} | {depth * 4 * NUMBERS / 1e6:.1f} | {1000 * exchange_s:.1f} | "
        rows += f"{1000 * step_s:.1f} | {workers * share / step_s:,.0f} | {compute_s / step_s:.0%} |\n"
    columns = ("workers", "messages", "MB sent", "exchange, ms", "step, ms", "images/s", "efficiency")
    return (
        f"\nPast this machine, with a shard of {share} images and a core for each worker, "
        f"{LINK_BITS_S / 1e9:.0f} Gbit/s and {1e6 * LATENCY_S:.0f} µs a message, nothing overlapped with the backward "
        "pass. Messages and MB are of one worker and step: recursive doubling sends the whole vector once a level of "
        "the tree.\n\n"
        f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n{rows}"
    )


BENCHMARK = Benchmark(
    "scaling",
    "Scaling past this machine",
    f"The model of a step of `model=cnn` with {BATCH} images in {SHARDS} shards: the time of a worker's shards, "
    "measured in as many processes as workers that exchange nothing, and the time of adding a step's sums in the "
    "tree of the shards, measured between matrix products that take as long as a shard. The model is compared with "
    "`pipeline train` with 1, 2 and 4 local workers; of the 4 each has half a core. With one worker both "
    "compute the same, so what they differ by is this machine's noise.",
    (
        *(_alone(count) for count in COUNTS),
        *(_pipeline(count) for count in COUNTS),
        *(_sum(count) for count in COUNTS[1:]),
    ),
    tuple(Claim(f"off by, workers: {count}", _error(count), 0.15, "{:.0%}", least=False) for count in COUNTS),
    shown=("ms_per_step",),
    warm=("experiment=mlp_xor",),
    more=extrapolated,
)

if __name__ == "__main__":
    main(BENCHMARK)
