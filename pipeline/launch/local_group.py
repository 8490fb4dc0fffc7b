"""A group of workers on this machine: their start, their watch, and what each of them runs."""

import multiprocessing
import os
import signal
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from select import POLLIN, poll

from pipeline.config import Config
from pipeline.errors import LaunchError, PipelineError
from pipeline.types import FitResult

BEAT_S = 1.0  # between two signs of life of a worker
HANG_S = 30.0  # without a sign of life, after which a worker counts as dead
BEAT = struct.Struct("=d")


@dataclass(frozen=True, slots=True)
class Job:
    """The training that each worker takes part in."""

    config: Config
    data_dir: Path
    run_dir: Path
    data_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a group ended before its time."""

    rank: int
    why: str
    hung: bool = False
    error: Exception | None = None  # that the worker raised: another try would raise it, too


@dataclass(slots=True)
class Worker:
    """The supervisor's side of a worker."""

    process: BaseProcess
    outcome: Connection
    result: FitResult | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The workers of one try, and the memory where each notes the time of its last sign of life."""

    workers: list[Worker]
    memory: mmap
    beats_at: int

    def silent_s(self, rank: int) -> float:
        (beat,) = BEAT.unpack_from(self.memory, self.beats_at + rank * BEAT.size)
        return time.monotonic() - float(beat)


@contextmanager
def start(job: Job) -> Iterator[Group]:
    """Start all workers; kill those that are left at the end of the block."""
    from pipeline.training.exchange import memory_bytes

    forked = sys.platform == "linux" and not job.config["cluster"]["gpus_per_worker"]
    context = multiprocessing.get_context("fork") if forked else multiprocessing.get_context("spawn")
    count = job.config["cluster"]["workers"]
    beats_at = memory_bytes(count)
    with ExitStack() as stack:
        memory, name = _memory(beats_at + count * BEAT.size, forked, stack)
        for rank in range(count):
            BEAT.pack_into(memory, beats_at + rank * BEAT.size, time.monotonic())
        inboxes = [_pipe(context, stack) for _ in range(count)]
        life, held = _pipe(context, stack)
        group = Group([], memory, beats_at)
        stack.callback(_kill, group)
        for rank in range(count):
            outcome, sender = _pipe(context, stack)
            inherited = (memory, held) if forked else (None, None)
            place = Place(rank, count, name, inboxes, life, sender, *inherited)
            process = context.Process(target=_work, args=(job, place), name=f"worker-{rank}")
            process.start()
            group.workers.append(Worker(process, outcome))
        yield group


def _kill(group: Group) -> None:
    for worker in group.workers:
        worker.process.kill()
    for worker in group.workers:
        worker.process.join()


def _memory(size: int, forked: bool, stack: ExitStack) -> tuple[mmap, str]:
    """Shared memory, and the name of its file where processes are spawned; anonymous, so not bounded by /dev/shm."""
    if forked:
        return mmap(-1, size), ""
    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="pipeline-"))  # noqa: SIM115
    file.truncate(size)
    return mmap(file.fileno(), size), file.name


def _pipe(context: BaseContext, stack: ExitStack) -> tuple[Connection, Connection]:
    ends = context.Pipe(duplex=False)
    for end in ends:
        stack.callback(end.close)
    return ends


def watch(group: Group, control: Connection) -> FitResult | Failure:
    """The result of all workers, or the first failure.

    Raises: EOFError if the driver is gone.
    """
    while True:
        running = [worker for worker in group.workers if worker.result is None]
        if not running:
            return group.workers[0].result  # type: ignore[return-value]
        ready = wait([control, *(w.outcome for w in running), *(w.process.sentinel for w in running)], BEAT_S)
        if control in ready:
            control.recv()  # there is nothing to receive any more but the end
        for rank, worker in enumerate(group.workers):
            if worker.result is None and (failure := _look(group, rank, worker)):
                return failure


def _look(group: Group, rank: int, worker: Worker) -> Failure | None:
    """Take a worker's result, or return how it failed; None if it goes on."""
    ended = not worker.process.is_alive()  # before its pipe is read, which it may fill as its last act
    if worker.outcome.poll():
        outcome = worker.outcome.recv()
        if isinstance(outcome, FitResult):
            worker.result = outcome
            return None
        return Failure(rank, str(outcome), error=outcome) if not _waited(outcome) else Failure(rank, str(outcome), True)
    if ended:
        code = worker.process.exitcode
        killed = ", as where memory runs out: try a smaller data.batch_size" if code == -signal.SIGKILL else ""
        return Failure(rank, f"its process ended with code {code}{killed}")
    if group.silent_s(rank) > HANG_S:
        return Failure(rank, f"no sign of life in {HANG_S:.0f} s", hung=True)
    return None


def _waited(error: Exception) -> bool:
    from pipeline.training.exchange import WorkerSilentError

    return isinstance(error, WorkerSilentError)


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place in its group."""

    rank: int
    workers: int
    name: str  # of the memory's file
    inboxes: list[tuple[Connection, Connection]]
    life: Connection  # readable, at its end, once the supervisor has died
    outcome: Connection
    # Where this process is forked: the memory, and the supervisor's end of `life`.
    memory: mmap | None
    held: Connection | None


def _work(job: Job, place: Place) -> None:
    """One worker: send its result, or what it raised."""
    ignore_signals()
    if place.held:
        place.held.close()
    try:
        memory = place.memory or _opened(place.name)
        threading.Thread(target=_live, args=(memory, place), name="life", daemon=True).start()
        outcome: FitResult | Exception = _fit(job, place, memory)
    except BaseException as error:
        traceback.print_exc()
        outcome = error if isinstance(error, Exception) else LaunchError(f"{type(error).__name__}: {error}")
    place.outcome.send(portable(outcome))


def _fit(job: Job, place: Place, memory: mmap) -> FitResult:
    from pipeline.training.exchange import SharedMemory
    from pipeline.training.fit import fit

    exchange = SharedMemory(place.rank, place.workers, memory, place.inboxes)
    where = {"data_dir": job.data_dir, "run_dir": job.run_dir, "data_digest": job.data_digest}
    return fit(job.config, **where, exchange=exchange)  # type: ignore[arg-type]


def _live(memory: mmap, place: Place) -> None:
    """Note signs of life, and end this process when the supervisor ends."""
    from pipeline.training.exchange import memory_bytes

    at = memory_bytes(place.workers) + place.rank * BEAT.size
    supervisor = poll()
    supervisor.register(place.life.fileno(), POLLIN)
    while not supervisor.poll(1000 * BEAT_S):
        BEAT.pack_into(memory, at, time.monotonic())
    os._exit(75)


def _opened(name: str) -> mmap:
    with Path(name).open("r+b") as file:
        return mmap(file.fileno(), 0)


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def portable(outcome: FitResult | Exception) -> FitResult | Exception:
    """The outcome as another process can rebuild it: of an exception its class and arguments, else its text."""
    if not isinstance(outcome, Exception):
        return outcome
    try:
        return type(outcome)(*outcome.args)
    except Exception:  # whatever a constructor raises that takes other arguments
        return PipelineError(f"{type(outcome).__name__}: {outcome}. See the run's log.")
