"""Sums over workers keep one order, whatever carries them."""

import multiprocessing
import os
import time
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from pipeline.training import exchange
from pipeline.training.exchange import Alone, Exchange, ProcessGroup, SharedMemory, WorkerSilentError, tree

FORK = multiprocessing.get_context("fork")
# Their sum in float32 depends on the order: 1e8 + 1 is 1e8.
VALUES = [1e8, 1.0, -1e8, 1.0]


def each(workers: int, work: Callable[[int, Any], None]) -> list[Any]:
    """What `work(rank, results)` puts into the queue in one process each, sorted."""
    results = FORK.SimpleQueue()
    group = [FORK.Process(target=work, args=(rank, results)) for rank in range(workers)]
    for process in group:
        process.start()
    found = [results.get() for _ in group]
    for process in group:
        process.join()
    return sorted(found)


def sums(make: Callable[[int], Exchange]) -> Callable[[int, Any], None]:
    def work(rank: int, results: Any) -> None:
        torch.set_num_threads(1)
        group = make(rank)
        total = [group.sum(torch.full((5,), VALUES[rank])) for _ in range(3)]
        # In pieces that end before, at and after the ends of chunks of 128.
        long = group.sum(*(torch.arange(1000, dtype=torch.float64) * (rank + 1)).split([100, 28, 0, 700, 172]))
        results.put((rank, [one.tolist() for one in total], long.tolist()))

    return work


def test_four_numbers_are_added_in_pairs() -> None:
    numbers = [torch.tensor([value]) for value in VALUES]
    assert tree(numbers, torch.empty(1)).item() == 0.0  # (1e8 + 1) + (-1e8 + 1)
    assert sum(numbers).item() == 1.0  # type: ignore[union-attr]  # one after the other


def test_one_worker_has_the_sum_already() -> None:
    assert Alone().sum(torch.ones(2), torch.zeros(1)).tolist() == [1, 1, 0]


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("kind", ["shared memory", "process group"])
def test_every_worker_gets_the_trees_sum(
    kind: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "CHUNK_BYTES", 1024)  # of a long vector's 8,000
    memory = mmap(-1, exchange.memory_bytes(workers))
    inboxes = [FORK.Pipe(duplex=False) for _ in range(workers)]

    def process_group(rank: int) -> Exchange:
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=rank, world_size=workers)
        return ProcessGroup()

    def shared(rank: int) -> Exchange:
        return SharedMemory(rank, workers, memory, inboxes)

    found = each(workers, sums(shared if kind == "shared memory" else process_group))
    expected = tree([torch.full((5,), value) for value in VALUES[:workers]], torch.empty(5)).tolist()
    assert expected == [{2: 1e8, 4: 0.0}[workers]] * 5
    long = [number * workers * (workers + 1) / 2 for number in range(1000)]
    assert found == [(rank, [expected] * 3, long) for rank in range(workers)]


def test_a_worker_that_waits_takes_no_core_and_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PATIENCE_S", 1.0)
    memory = mmap(-1, exchange.memory_bytes(2))
    inboxes = [FORK.Pipe(duplex=False) for _ in range(2)]
    group = SharedMemory(1, 2, memory, inboxes)
    cpu, wall = time.process_time(), time.monotonic()
    with pytest.raises(WorkerSilentError, match=r"Worker 1 has waited 1 s for worker 0\."):
        group.sum(torch.ones(3))
    assert time.monotonic() - wall >= 1
    assert time.process_time() - cpu < 0.5


def test_shared_memory_takes_no_room_in_the_file_system_of_shared_memory() -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is none")
    before = os.statvfs("/dev/shm").f_bavail
    memory = mmap(-1, exchange.memory_bytes(8))
    memory[:] = b"x" * len(memory)
    assert (before - os.statvfs("/dev/shm").f_bavail) * os.statvfs("/dev/shm").f_frsize < len(memory) // 2
