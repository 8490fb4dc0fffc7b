"""Milliseconds that workers on this machine take to agree on their gradients, by gloo.

`python -m benchmarks.contenders.all_reduce WORKERS NUMBERS`
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from benchmarks.contenders.common import tell

WARM, TIMES = 20, 200


def _worker(rank: int, workers: int, numbers: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", world_size=workers, rank=rank)
    gradients = torch.ones(numbers)
    for _ in range(WARM):
        dist.all_reduce(gradients)
        gradients.fill_(1)
    began = time.perf_counter()
    for _ in range(TIMES):
        dist.all_reduce(gradients)
    if rank == 0:
        Path(folder, "ms").write_text(str(1000 * (time.perf_counter() - began) / TIMES))
    dist.destroy_process_group()


def main(workers: int, numbers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spawn(_worker, (workers, numbers, folder), nprocs=workers)
        tell(ms_per_step=float(Path(folder, "ms").read_text()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
