"""`python -m benchmarks.scaling`: a model of a step's time, validated on this machine and extrapolated to clusters."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.benchmark import Benchmark, Claim, main
from benchmarks.harness import PYTHON, Contender, Pair

CORES, BATCH, NUMBERS = 2, 512, 230_010  # of this machine; global; gradients of `model=cnn`
LINK_BITS_S, LATENCY_S = 10e9, 50e-6  # assumed of a cluster: 10 Gbit/s Ethernet
SHARES = (128, 256)  # images a worker, for which a process's time is measured
COUNTS = (1, 2, 4)  # of workers here
WORKERS = (8, 16, 64, 256, 1000)  # elsewhere
TRAINED = ("model=cnn", "data=mnist", "data.allow_sample=false")


def _alone(share: int) -> Contender:
    words = ("benchmarks.contenders.copies", str(CORES), "steady", "6", *TRAINED, f"data.batch_size={share}")
    return Contender(_compute(share), [*PYTHON, *words])


def _pipeline(workers: int) -> Contender:
    # More workers than cores are refused, unless the cluster is configured with more cores.
    how = ("oversubscribed", "6", str(workers)) if workers > CORES else ("steady", "6", f"cluster.workers={workers}")
    words = (f"benchmarks.contenders.{how[0]}", *how[1:], *TRAINED, f"data.batch_size={BATCH}")
    return Contender(_measured(workers), [*PYTHON, *words])


def _compute(batch: int) -> str:
    return f"a process on each core, batch {batch}"


def _measured(workers: int) -> str:
    return f"pipeline, workers: {workers}"


def _reduce(workers: int) -> str:
    return f"gradients of {workers}"


def predicted_ms(pair: Pair, workers: int) -> float:
    """Fixed time plus time an image, on a core that may be shared, plus the all-reduce of gradients."""
    few, more = (pair[_compute(share)]["ms_per_step"] for share in SHARES)
    compute = few + (more - few) * (BATCH / workers - SHARES[0]) / (SHARES[1] - SHARES[0])
    return compute * max(1, workers / CORES) + (pair[_reduce(workers)]["ms_per_step"] if workers > 1 else 0)


def _error(workers: int) -> Callable[[Pair], float]:
    return lambda pair: abs(predicted_ms(pair, workers) / pair[_measured(workers)]["ms_per_step"] - 1)


def extrapolated(pairs: Sequence[Pair]) -> str:
    """The model's table for clusters, with a core a worker and a ring all-reduce."""
    share = SHARES[0]
    compute_s = median(pair[_compute(share)]["ms_per_step"] for pair in pairs) / 1000
    rows = ""
    for workers in WORKERS:
        ring_s = 2 * (workers - 1) * (LATENCY_S + 32 * NUMBERS / workers / LINK_BITS_S)
        rows += f"| {workers:,} | {1000 * ring_s:.1f} | {1000 * (compute_s + ring_s):.1f} | "
        rows += f"{workers * share / (compute_s + ring_s):,.0f} | {compute_s / (compute_s + ring_s):.0%} |\n"
    return (
        f"\nExtrapolated to {share} images a worker, a core each, {LINK_BITS_S / 1e9:.0f} Gbit/s and "
        f"{1e6 * LATENCY_S:.0f} µs a message, a ring that does not overlap with the backward pass:\n\n"
        f"| workers | gradients, ms | step, ms | images/s | efficiency |\n|{' --- |' * 5}\n{rows}"
    )


BENCHMARK = Benchmark(
    "scaling",
    "Scaling to clusters",
    f"The model of a step of `model=cnn`: the time for a worker's part of {BATCH} images, plus the time that an "
    "all-reduce of as many gradients adds to a matrix product. The first is linear between 128 and 256 images, "
    "measured in one process on each core at the same time. The model is compared with `pipeline train` with 1, 2 "
    "and 4 workers. For 4 workers Ray is configured with more cores than there are, so that each worker has half a "
    "core.",
    (
        *(_alone(share) for share in SHARES),
        *(_pipeline(count) for count in COUNTS),
        *(
            Contender(_reduce(count), [*PYTHON, "benchmarks.contenders.all_reduce", str(count), str(NUMBERS)])
            for count in COUNTS[1:]
        ),
    ),
    tuple(
        Claim(f"error of the model, workers: {count}", _error(count), 0.15, "{:.0%}", least=False) for count in COUNTS
    ),
    shown=("ms_per_step",),
    warm=("experiment=mlp_xor",),
    more=extrapolated,
)

if __name__ == "__main__":
    main(BENCHMARK)
