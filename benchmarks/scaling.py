"""`python -m benchmarks.scaling`: a model of a step's time, held against this machine and carried on past it."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.harness import PYTHON, Contender, Pair
from benchmarks.question import Claim, Question, main

CORES, BATCH, NUMBERS = 2, 512, 230_010  # of this machine; global; gradients of `model=cnn`
LINK_BITS_S, LATENCY_S = 10e9, 50e-6  # assumed of a cluster: 10 Gbit/s Ethernet
SHARES = (128, 256)  # images of a batch, of which a process's time is known
COUNTS = (1, 2, 4)  # of workers here
WORKERS = (8, 16, 64, 256, 1000)  # elsewhere
TRAINED = ("model=cnn", "data=mnist", "data.allow_sample=false")


def _alone(share: int) -> Contender:
    words = ("benchmarks.contenders.at_once", str(CORES), "steady", "6", *TRAINED, f"data.batch_size={share}")
    return Contender(_compute(share), [*PYTHON, *words])


def _pipeline(workers: int) -> Contender:
    # More workers than there are cores are refused, unless the cluster says that it has them.
    how = ("crowded", "6", str(workers)) if workers > CORES else ("steady", "6", f"cluster.workers={workers}")
    words = (f"benchmarks.contenders.{how[0]}", *how[1:], *TRAINED, f"data.batch_size={BATCH}")
    return Contender(_measured(workers), [*PYTHON, *words])


def _compute(batch: int) -> str:
    return f"a process on each core, batch {batch}"


def _measured(workers: int) -> str:
    return f"pipeline, workers: {workers}"


def _reduce(workers: int) -> str:
    return f"gradients of {workers}"


def predicted_ms(pair: Pair, workers: int) -> float:
    """A step's fixed part and its images', on a core that it may have to share, then the gradients."""
    few, more = (pair[_compute(share)]["ms_per_step"] for share in SHARES)
    compute = few + (more - few) * (BATCH / workers - SHARES[0]) / (SHARES[1] - SHARES[0])
    return compute * max(1, workers / CORES) + (pair[_reduce(workers)]["ms_per_step"] if workers > 1 else 0)


def _error(workers: int) -> Callable[[Pair], float]:
    return lambda pair: abs(predicted_ms(pair, workers) / pair[_measured(workers)]["ms_per_step"] - 1)


def beyond(pairs: Sequence[Pair]) -> str:
    """What the model says of clusters, with a core a worker and a ring all-reduce."""
    share = SHARES[0]
    compute_s = median(pair[_compute(share)]["ms_per_step"] for pair in pairs) / 1000
    rows = ""
    for workers in WORKERS:
        ring_s = 2 * (workers - 1) * (LATENCY_S + 32 * NUMBERS / workers / LINK_BITS_S)
        rows += f"| {workers:,} | {1000 * ring_s:.1f} | {1000 * (compute_s + ring_s):.1f} | "
        rows += f"{workers * share / (compute_s + ring_s):,.0f} | {compute_s / (compute_s + ring_s):.0%} |\n"
    return (
        f"\nPast this machine, with {share} images a worker, a core each, {LINK_BITS_S / 1e9:.0f} Gbit/s and "
        f"{1e6 * LATENCY_S:.0f} µs a message, a ring that does not overlap with the backward pass:\n\n"
        f"| workers | gradients, ms | step, ms | images/s | efficiency |\n|{' --- |' * 5}\n{rows}"
    )


QUESTION = Question(
    "scaling",
    "Scaling past this machine",
    f"The model of a step of `model=cnn`: a worker's share of {BATCH} images, and by how much agreeing on as many "
    "gradients makes a product of matrices longer. The share's time is a straight line through those of 128 and 256 "
    "images, measured in processes of their own that keep all cores busy. The model is held against `pipeline train` "
    "with 1 and 2 workers, and with 4 on a Ray that is told of more cores than there are: each then has half a core.",
    (
        *(_alone(share) for share in SHARES),
        *(_pipeline(count) for count in COUNTS),
        *(
            Contender(_reduce(count), [*PYTHON, "benchmarks.contenders.all_reduce", str(count), str(NUMBERS)])
            for count in COUNTS[1:]
        ),
    ),
    tuple(Claim(f"off by, workers: {count}", _error(count), 0.15, "{:.0%}", least=False) for count in COUNTS),
    shown=("ms_per_step",),
    warm=("experiment=mlp_xor",),
    more=beyond,
)

if __name__ == "__main__":
    main(QUESTION)
