"""Milliseconds that an all-reduce of gradients by gloo adds to a step of workers on this machine.

They include waiting, since workers do not finish a step at the same moment.

`python -m benchmarks.contenders.all_reduce WORKERS NUMBERS`
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from benchmarks.contenders.common import report

TURNS, TIMES = 11, 20
SIDE = 1000  # of a square matrix, whose product with itself takes as long as a small step


def _worker(rank: int, workers: int, numbers: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", world_size=workers, rank=rank)
    gradients, matrix = torch.zeros(numbers), torch.rand(SIDE, SIDE)

    def ms(reduce: bool) -> float:
        dist.barrier()
        began = time.perf_counter()
        for _ in range(TIMES):
            matrix @ matrix
            if reduce:
                dist.all_reduce(gradients)
        dist.barrier()
        return 1000 * (time.perf_counter() - began) / TIMES

    ms(reduce=True)  # warm-up
    longer = [ms(reduce=True) - ms(reduce=False) for _ in range(TURNS)]
    if rank == 0:
        Path(folder, "ms").write_text(str(median(longer)))
    dist.destroy_process_group()


def main(workers: int, numbers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spawn(_worker, (workers, numbers, folder), nprocs=workers)
        report(ms_per_step=float(Path(folder, "ms").read_text()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
