"""Sums of the workers' vectors, pairwise in one fixed binary tree: a sum has the same bits for any number of workers.

The tree of the logical shards halves them again and again. A worker's neighbouring shards are a whole subtree, so
workers add their own sums along the levels that are left. Floating-point addition commutes (a + b == b + a), so both
workers of a pair may compute it. An all-reduce of a library keeps no such order.
"""

import os
import struct
import time
from collections.abc import Iterator, Sequence
from itertools import count
from mmap import mmap
from select import POLLIN, poll
from typing import TYPE_CHECKING, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.errors import LaunchError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CHUNK_BYTES = 1 << 20  # of a vector, exchanged at a time; with 256 kB and 4 MB the sum of 10 MB takes longer
PATIENCE_S = 180.0  # that a worker waits for another, which may be writing a checkpoint


class WorkerSilentError(LaunchError):
    """A worker that another has waited for too long."""


class Exchange(Protocol):
    """The sums of a group of workers, of which this process is one."""

    rank: int
    workers: int

    def sum(self, *pieces: Tensor) -> Tensor:
        """Add the vectors of all workers, each given in pieces of one dimension; every worker gets the same bits.

        Raises: WorkerSilentError if another worker does not answer.
        """


class Alone:
    """One worker, in this process."""

    rank, workers = 0, 1

    def sum(self, *pieces: Tensor) -> Tensor:
        return torch.cat(pieces)


class ProcessGroup:
    """The workers of `torch.distributed`'s default group, on any nodes: gloo on CPUs, NCCL on GPUs.

    Recursive doubling: in round k a worker swaps its sum with the one whose rank differs in bit k. That is log2 of the
    workers in rounds, each with one message of the whole vector to and from each worker.
    """

    def __init__(self) -> None:
        self.rank, self.workers = dist.get_rank(), dist.get_world_size()

    def sum(self, *pieces: Tensor) -> Tensor:
        vector, distance = torch.cat(pieces), 1
        while distance < self.workers:
            other, theirs = self.rank ^ distance, torch.empty_like(vector)
            swap = [dist.P2POp(dist.isend, vector, other), dist.P2POp(dist.irecv, theirs, other)]
            for work in dist.batch_isend_irecv(swap):
                work.wait()
            vector, distance = vector + theirs, 2 * distance
        return vector


class SharedMemory:
    """The workers of one machine: each writes its vector into shared memory, and adds up all of them.

    `memory` has two slots of `CHUNK_BYTES` for each worker, used in turn: a worker that is ahead by one chunk does not
    overwrite what another still reads, and it can't be ahead by two. `inboxes` are the ends of a pipe for each worker,
    for reading and writing. A message on a pipe means that a rank has written chunk number n; the kernel's lock on the
    pipe orders memory, too. A worker that waits sleeps in the kernel and takes no core from the one it waits for.
    """

    MESSAGE = struct.Struct("=qq")

    def __init__(self, rank: int, workers: int, memory: mmap, inboxes: "Sequence[tuple[Connection, Connection]]"):
        self.rank, self.workers = rank, workers
        self.slots = torch.frombuffer(memory, dtype=torch.uint8, count=memory_bytes(workers)).view(2, workers, -1)
        self.inbox, self.peers = inboxes[rank][0], [sender for _, sender in inboxes]
        self.numbers, self.written = count(1), [0] * workers
        self.poll = poll()
        self.poll.register(self.inbox.fileno(), POLLIN)

    def sum(self, *pieces: Tensor) -> Tensor:
        here = [piece.cpu() for piece in pieces]  # that of a GPU is copied
        total = here[0].new_empty(sum(map(len, here)))
        size = CHUNK_BYTES // total.element_size()
        for part, chunk in zip(total.split(size), chunks(here, size), strict=True):
            self._add(chunk, part)
        return total.to(pieces[0].device)

    def _add(self, mine: list[Tensor], total: Tensor) -> None:
        number = next(self.numbers)
        written = [slot.view(total.dtype)[: len(total)] for slot in self.slots[number % 2]]
        torch.cat(mine, out=written[self.rank])
        self._meet(number)
        tree(written, total)

    def _meet(self, number: int) -> None:
        """Wait until all workers have written chunk `number`."""
        message = self.MESSAGE.pack(self.rank, number)
        for rank, peer in enumerate(self.peers):
            if rank != self.rank:
                os.write(peer.fileno(), message)
        self.written[self.rank] = number
        deadline = time.monotonic() + PATIENCE_S
        while (slowest := min(self.written)) < number:
            if not self.poll.poll(max(0.0, 1000 * (deadline - time.monotonic()))):
                raise WorkerSilentError(
                    f"Worker {self.rank} has waited {PATIENCE_S:.0f} s for worker {self.written.index(slowest)}. "
                    "See the run's log, then `pipeline resume`."
                )
            rank, theirs = self.MESSAGE.unpack(os.read(self.inbox.fileno(), self.MESSAGE.size))
            self.written[rank] = theirs


def memory_bytes(workers: int) -> int:
    """The size of the memory that `SharedMemory` needs."""
    return 2 * workers * CHUNK_BYTES


def chunks(pieces: Sequence[Tensor], size: int) -> Iterator[list[Tensor]]:
    """Yield the pieces of each `size` numbers in a row; of the last, fewer."""
    chunk: list[Tensor] = []
    room = size
    for piece in pieces:
        rest = piece
        while len(rest) > room:
            yield [*chunk, rest[:room]]
            chunk, rest, room = [], rest[room:], size
        chunk.append(rest)
        room -= len(rest)
    yield chunk


def tree(vectors: Sequence[Tensor], total: Tensor) -> Tensor:
    """Write the sum of 2^k vectors, k > 0, into `total`: neighbours are added, then neighbouring sums, and so on."""
    while len(vectors) > 2:
        vectors = [left + right for left, right in zip(vectors[0::2], vectors[1::2], strict=True)]
    return torch.add(*vectors, out=total)
