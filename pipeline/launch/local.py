"""Workers of this machine: a supervising process forks them, watches them, and starts them again where one dies.

The supervisor is forked from the driver before the driver has threads (which track the run and write its events), and
has none itself: so it can fork all workers within milliseconds, with every import done, as often as it must. Where
processes can't be forked (macOS, CUDA) they are spawned: correct, and slower by their imports.

Workers are plain processes rather than Ray Train's local mode: that mode starts a gloo process group, which needs a
port and a host name that resolves, and would not be used, for gradients go through shared memory.

A process that loses its parent ends: it holds the reading end of a pipe that only its parent can write to. Signals are
handled by the driver alone, which requests a stop through the run's folder.
"""

import multiprocessing
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from pipeline.config import Config
from pipeline.errors import LaunchError
from pipeline.launch.failure_count import FailureCount, newest_step
from pipeline.launch.local_group import Job, ignore_signals, portable, start, watch
from pipeline.runs.events import EventLog
from pipeline.types import FitResult

CLOSE_S = 10.0  # that the supervisor may take to end its workers


class LocalWorkers:
    """The driver's side of the supervisor."""

    def __init__(self, control: Connection, process: BaseProcess):
        self.control, self.process = control, process

    def run(self, job: Job) -> FitResult:
        """Train on all workers until the model is stored, or the run is stopped.

        Raises: what `fit` raises; LaunchError if workers keep dying.
        """
        try:
            self.control.send(job)
            outcome = self.control.recv()
        except (EOFError, OSError) as error:
            raise LaunchError(
                f"{job.run_dir.name}: the process that supervises the workers ended. "
                f"See {job.run_dir / 'log.txt'}, then `pipeline resume {job.run_dir.name}`."
            ) from error
        if isinstance(outcome, BaseException):
            raise outcome
        result: FitResult = outcome
        return result

    def close(self) -> None:
        """End the supervisor and its workers."""
        self.control.close()
        self.process.join(CLOSE_S)
        self.process.kill()
        self.process.join()


@contextmanager
def standby(config: Config) -> Iterator[LocalWorkers]:
    """A supervisor for as long as the block runs; to be entered before this process starts threads."""
    forked = sys.platform == "linux" and threading.active_count() == 1 and config["cluster"]["threads_per_worker"] == 1
    context = multiprocessing.get_context("fork") if forked else multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_supervise, args=(there, here if forked else None), name="supervisor")
    process.start()
    there.close()
    workers = LocalWorkers(here, process)
    try:
        yield workers
    finally:
        workers.close()


def _supervise(control: Connection, drivers_end: Connection | None) -> None:
    """Run the job that the driver sends; end when the driver does."""
    ignore_signals()
    if drivers_end:
        drivers_end.close()
    import pipeline.training.fit  # noqa: F401  # before there are workers: forked ones find it done

    with suppress(EOFError, OSError):
        job: Job = control.recv()
        control.send(portable(_outcome(job, control)))


def _outcome(job: Job, control: Connection) -> FitResult | Exception:
    try:
        return _run(job, control)
    except EOFError:  # the driver is gone
        raise
    except Exception as error:
        return error


def _run(job: Job, control: Connection) -> FitResult:
    """Start groups of workers, one after the other, until one ends as it should."""
    failures, restarts = FailureCount(job.run_dir), 0
    while True:
        _note_start(job, restarts)
        with start(job) as workers:
            outcome = watch(workers, control)
        if isinstance(outcome, FitResult):
            return outcome
        if isinstance(outcome.error, Exception):
            raise outcome.error
        failures.count(f"worker {outcome.rank}", outcome.why, hung=outcome.hung)
        restarts += 1


def _note_start(job: Job, restarts: int) -> None:
    events = EventLog(job.run_dir)
    events.append(step=newest_step(job.run_dir), workers=job.config["cluster"]["workers"], restarts=restarts)
    if restarts:
        events.append(tags={"worker_restarts": str(restarts)})
    events.close()
