"""The thread that tells MLflow of a run: it may wait, it may be left behind, but nobody waits for it without end."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pipeline.config.redaction import redact
from pipeline.errors import LaunchError
from pipeline.runs.events import EventLog, scan
from pipeline.tracking.mlflow_store import OutageError
from pipeline.tracking.upload_queue import UploadQueue

EVERY_S = 1.0  # between two looks at the spool
RETRY_S = 15.0  # the longest between two tries while MLflow is down
SYSTEM_S = 5.0  # between two looks at the machine
OPEN_S = 60.0  # a new data base's tables take seconds


class Uploader:
    """Sends an outbox for as long as the block runs; entering it waits for the first try, not for its success.

    Raises: LaunchError on entry, if MLflow will never take this run.
    """

    def __init__(self, outbox: UploadQueue, event_log: EventLog, address: str, print_line: Callable[[str], None]):
        self.outbox, self.event_log, self.address, self.print_line = outbox, event_log, address, print_line
        self.tried, self.done = threading.Event(), threading.Event()
        self.problem: Exception | None = None
        self.thread = threading.Thread(target=self._loop, name="tracking", daemon=True)
        self.machine = threading.Thread(target=self._watch_machine, name="machine", daemon=True)

    def __enter__(self) -> "Uploader":
        self.thread.start()
        self.tried.wait(OPEN_S)
        if isinstance(self.problem, LaunchError):
            self.done.set()
            raise self.problem
        if self.problem or not self.tried.is_set():
            self._warn()
        self.machine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.machine.join()
        self.event_log.close()

    def finish(self, stall_s: float) -> None:
        """Send the rest; what can't be sent soon waits for `pipeline sync`."""
        self.done.set()
        told, since = -1, time.monotonic()
        while self.thread.is_alive() and time.monotonic() - since < stall_s:
            if told != self.outbox.state["told"]:
                told, since = self.outbox.state["told"], time.monotonic()
            self.thread.join(0.05)
        name = self.outbox.run_dir.name
        if refused := self.outbox.state["refused"]:
            self.print_line(f"WARNING     MLflow refused {len(refused)} events of {name}: {refused[-1]}")
        if count := self.outbox.waiting():
            self.print_line(
                f"WARNING     {count} events wait for MLflow at {self.address}: `pipeline sync {name}` sends them"
            )

    def _loop(self) -> None:
        delay, finished = 0.0, False
        while not finished:
            finished = self.done.wait(delay)  # and try once more after the run has ended
            try:
                self.outbox.send()
            except Exception as error:  # whatever it is, training must not learn of it
                new, self.problem = self.problem is None and self.tried.is_set(), error
                if new:
                    self._warn()
                delay = min(2 * max(delay, EVERY_S), RETRY_S)
            else:
                if self.problem:
                    self.print_line(f"tracking    MLflow at {self.address} answers again")
                self.problem, delay = None, EVERY_S
            self.tried.set()

    def _warn(self) -> None:
        known = isinstance(self.problem, OutageError | LaunchError | None)
        why = redact(str(self.problem)) if self.problem else f"no answer within {OPEN_S:.0f} s"
        self.print_line(
            f"WARNING     MLflow at {self.address} can't be told now: {why if known else repr(self.problem)}. "
            "Training goes on; what it has to tell waits in the run's folder."
        )

    def _watch_machine(self) -> None:
        """What the machine is doing, as MLflow measures it."""
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(Exception):  # no such GPU, or no library that knows it
            monitors.append(GPUMonitor())
        started = next(scan(self.outbox.run_dir))[0]["time"]
        while not self.done.wait(SYSTEM_S):
            values: dict[str, float] = {}
            for monitor in monitors:
                monitor.collect_metrics()
                values |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
                monitor.clear_metrics()
            self.event_log.append(system=values, second=int(time.time() - started))
