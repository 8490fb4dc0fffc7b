"""The thread that sends a run's events to MLflow: it may wait for MLflow, training never waits for it for long."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pipeline.config.redaction import redact
from pipeline.errors import LaunchError
from pipeline.runs.events import EventLog, scan
from pipeline.tracking.mlflow_store import OutageError
from pipeline.tracking.system_metrics import EVERY_S as SYSTEM_S
from pipeline.tracking.system_metrics import MachineMonitor
from pipeline.tracking.upload_queue import UploadQueue

POLL_S = 1.0  # between two reads of the event log
RETRY_S = 15.0  # the longest pause between two tries while MLflow is down
OPEN_S = 60.0  # for the first try; creating a data base's tables takes seconds


class Uploader:
    """Sends a queue while the block runs; entering it waits for the first try to end, with or without success.

    Raises: LaunchError on entry, if MLflow can never take this run.
    """

    def __init__(
        self,
        queue: UploadQueue,
        machine: MachineMonitor,
        event_log: EventLog,
        address: str,
        print_line: Callable[[str], None],
    ):
        self.queue, self.event_log, self.address, self.print_line = queue, event_log, address, print_line
        self.machine = machine
        self.tried, self.done = threading.Event(), threading.Event()
        self.problem: Exception | None = None
        self.thread = threading.Thread(target=self._loop, name="tracking", daemon=True)
        self.monitor = threading.Thread(target=self._monitor_machine, name="machine", daemon=True)

    def __enter__(self) -> "Uploader":
        self.thread.start()
        self.tried.wait(OPEN_S)
        if isinstance(self.problem, LaunchError):
            self.done.set()
            raise self.problem
        if self.problem or not self.tried.is_set():
            self._warn()
        self.monitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.monitor.join()
        self.event_log.close()

    def finish(self, stall_s: float) -> None:
        """Send the remaining events; after `stall_s` without progress, they wait for `pipeline sync`."""
        self.done.set()
        sent, since = -1, time.monotonic()
        while self.thread.is_alive() and time.monotonic() - since < stall_s:
            if sent != self.queue.sent:
                sent, since = self.queue.sent, time.monotonic()
            self.thread.join(0.05)
        name = self.queue.run_dir.name
        if refused := self.queue.state["refused"]:
            self.print_line(f"WARNING     MLflow refused {len(refused)} events of {name}: {refused[-1]}")
        if count := self.queue.waiting():
            self.print_line(
                f"WARNING     {count} events wait for MLflow at {self.address}: `pipeline sync {name}` sends them"
            )

    def _loop(self) -> None:
        delay, finished = 0.0, False
        while not finished:
            finished = self.done.wait(delay)  # and try once more after the run has ended
            try:
                self.queue.send()
            except Exception as error:  # of any kind: none may end training
                new, self.problem = self.problem is None and self.tried.is_set(), error
                if new:
                    self._warn()
                delay = min(2 * max(delay, POLL_S), RETRY_S)
            else:
                if self.problem:
                    self.print_line(f"tracking    MLflow at {self.address} responds again")
                self.problem, delay = None, POLL_S
            self.tried.set()

    def _warn(self) -> None:
        known = isinstance(self.problem, OutageError | LaunchError | None)
        reason = redact(str(self.problem)) if self.problem else f"no answer within {OPEN_S:.0f} s"
        self.print_line(
            f"WARNING     MLflow at {self.address} can't be reached: {reason if known else repr(self.problem)}. "
            "Training continues; its events wait in the run's folder."
        )

    def _monitor_machine(self) -> None:
        """Log the machine's load."""
        started = next(scan(self.queue.run_dir))[0]["time"]
        with suppress(OutageError):  # the process that measures it was killed
            while not self.done.wait(SYSTEM_S):
                self.event_log.append(system=self.machine.measure(), second=int(time.time() - started))
