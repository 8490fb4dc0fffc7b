"""Milliseconds that workers of this machine take to add a vector, as training adds gradients.

`python -m benchmarks.contenders.exchange WORKERS NUMBERS COMPUTE_MS CORES`: through shared memory. Before each sum a
worker computes for COMPUTE_MS of CPU time, which is not counted; waiting for others that share its core is.
"""

import multiprocessing
import sys
import time
from mmap import mmap
from statistics import median

import torch

from benchmarks.contenders.common import report
from pipeline.training.exchange import SharedMemory, memory_bytes

TURNS, TIMES = 11, 20
FORK = multiprocessing.get_context("fork")


def _work(exchange: SharedMemory, numbers: int, compute_ms: float, found: "multiprocessing.SimpleQueue[float]") -> None:
    torch.set_num_threads(1)
    vector, matrix = torch.zeros(numbers), torch.zeros(256, 256)

    def ms() -> float:
        began = time.perf_counter()
        for _ in range(TIMES):
            until = time.process_time() + compute_ms / 1000
            while time.process_time() < until:
                matrix @ matrix
            exchange.sum(vector)
        return 1000 * (time.perf_counter() - began) / TIMES

    ms()  # the first ones are slower
    each = [ms() for _ in range(TURNS)]
    if exchange.rank == 0:
        found.put(median(each))


def main(workers: int, numbers: int, compute_ms: float, cores: int) -> None:
    memory, inboxes = mmap(-1, memory_bytes(workers)), [FORK.Pipe(duplex=False) for _ in range(workers)]
    found: multiprocessing.SimpleQueue[float] = FORK.SimpleQueue()
    exchanges = [SharedMemory(rank, workers, memory, inboxes) for rank in range(workers)]
    group = [FORK.Process(target=_work, args=(exchange, numbers, compute_ms, found)) for exchange in exchanges]
    for process in group:
        process.start()
    report(ms_per_step=found.get() - compute_ms * max(1, workers / cores))
    for process in group:
        process.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
