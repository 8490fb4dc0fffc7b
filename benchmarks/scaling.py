"""`python -m benchmarks.scaling`: a model of a step's time, held against this machine and carried on past it."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.harness import PYTHON, Contender, Pair
from benchmarks.question import Claim, Question, main

CORES, BATCH, NUMBERS = 2, 128, 230_010  # of this machine; global; gradients of `model=cnn`
LINK_BITS_S, LATENCY_S = 10e9, 50e-6  # assumed of a cluster: 10 Gbit/s Ethernet
WORKERS = (8, 16, 64, 256, 1000)
STEADY = (*PYTHON, "benchmarks.contenders.steady", "6", "model=cnn", "data=mnist", "data.allow_sample=false")


def _compute(batch: int) -> str:
    return f"one process, batch {batch}"


def _measured(workers: int) -> str:
    return f"pipeline, {workers} workers"


def _reduce(workers: int) -> str:
    return f"gradients of {workers}"


def predicted_ms(pair: Pair, workers: int) -> float:
    """Each worker's share of the batch, as often as workers share a core, then the gradients."""
    share = pair[_compute(BATCH // workers)]["ms_per_step"] * max(1, workers / CORES)
    return share + pair[_reduce(workers)]["ms_per_step"]


def _error(workers: int) -> Callable[[Pair], float]:
    return lambda pair: abs(predicted_ms(pair, workers) / pair[_measured(workers)]["ms_per_step"] - 1)


def beyond(pairs: Sequence[Pair]) -> str:
    """What the model says of clusters, with a core a worker and a ring all-reduce."""
    compute_s = median(pair[_compute(BATCH)]["ms_per_step"] for pair in pairs) / 1000
    rows = ""
    for workers in WORKERS:
        ring_s = 2 * (workers - 1) * (LATENCY_S + 32 * NUMBERS / workers / LINK_BITS_S)
        rows += f"| {workers:,} | {1000 * ring_s:.1f} | {1000 * (compute_s + ring_s):.1f} | "
        rows += f"{workers * BATCH / (compute_s + ring_s):,.0f} | {compute_s / (compute_s + ring_s):.0%} |\n"
    return (
        f"\nPast this machine, with {BATCH} images a worker, a core each, {LINK_BITS_S / 1e9:.0f} Gbit/s and "
        f"{1e6 * LATENCY_S:.0f} µs a message, a ring that does not overlap with the backward pass:\n\n"
        f"| workers | gradients, ms | step, ms | images/s | efficiency |\n|{' --- |' * 5}\n{rows}"
    )


QUESTION = Question(
    "scaling",
    "Scaling past this machine",
    f"The model of a step of `model=cnn`: a worker's share of {BATCH} images, measured in one process, as often as "
    "workers share a core, plus an all-reduce of the gradients, measured alone. It is held against `pipeline train` "
    "with 2 and 4 workers on two cores.",
    (
        *(Contender(_compute(size), [*STEADY, f"data.batch_size={size}"]) for size in (BATCH, BATCH // 2, BATCH // 4)),
        *(Contender(_measured(count), [*STEADY, f"cluster.workers={count}"]) for count in (2, 4)),
        *(
            Contender(_reduce(count), [*PYTHON, "benchmarks.contenders.all_reduce", str(count), str(NUMBERS)])
            for count in (2, 4)
        ),
    ),
    tuple(Claim(f"off by, {count} workers", _error(count), 0.15, "{:.0%}", least=False) for count in (2, 4)),
    shown=("ms_per_step",),
    warm=("experiment=mlp_xor",),
    more=beyond,
)

if __name__ == "__main__":
    main(QUESTION)
