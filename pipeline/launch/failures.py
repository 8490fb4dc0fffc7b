"""Failures of workers: which end the run, which end the group, and which are retried."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray.train import UserCallback

from pipeline.errors import LaunchError, PipelineError
from pipeline.launch import cluster as clusters
from pipeline.launch.run_dir_actor import step
from pipeline.runs import events

MAX_FAILURES = 3  # without a new checkpoint between them; one more ends the run
SHUTDOWN_S = 5  # a broken group's time to shut down; Ray gives it 30, and one that hangs takes them all


class TooFewNodes(Exception):
    """The cluster can no longer hold a group of this size, so a smaller one starts without waiting."""


class Failures(UserCallback):  # type: ignore[misc]
    """Decides in Ray Train's controller whether a group may be restarted after a failure.

    Each group's controller works on a copy of this object, and the driver counts failures of whole groups: the count
    is therefore read from the run's event log, which all of them append to.
    """

    def __init__(self, run_dir: Path, cluster: dict[str, Any]):
        self.run_dir, self.cluster, self.workers = run_dir, cluster, 0
        self.start = events.read(run_dir)[1]  # failures before it are of an earlier driver

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Raises: PipelineError, which ends the run: a worker's own, or after too many failures;
        TooFewNodes, which ends the group.
        """
        os.environ["TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S"] = str(SHUTDOWN_S)  # of this process, the controller's
        for error in worker_exceptions.values():
            for cause in causes(error):
                if isinstance(cause, PipelineError):
                    raise cause
        # A worker that hangs makes the others fail.
        rank, error = max(worker_exceptions.items(), key=lambda item: "HealthCheck" in type(item[1]).__name__)
        self.count(f"worker {rank}", error)
        if clusters.room(self.cluster) < self.workers:
            raise TooFewNodes

    def count(self, who: str, error: Exception) -> None:
        """Append a failure to the event log.

        Raises: LaunchError if it is one too many since the newest checkpoint.
        """
        newest = step(self.run_dir)
        earlier = [
            event
            for event in events.read(self.run_dir, self.start)[0]
            if event.get("interrupted") in ("failure", "hang") and event["step"] == newest
        ]
        text = " ".join(str(error).split())[:300]
        if len(earlier) >= MAX_FAILURES:
            raise LaunchError(
                f"{self.run_dir.name}: {who} failed for the {len(earlier) + 1}th time without a new checkpoint "
                f"({text}). See {self.run_dir / 'log.txt'}, then `pipeline resume {self.run_dir.name}`."
            )
        hung = "HealthCheckTimeout" in type(error).__name__
        self.note("hang" if hung else "failure", f"{who} {'hangs' if hung else 'failed'}: resuming from step {newest}")

    def note(self, cause: str, text: str) -> None:
        """Append an interruption and its notice to the event log."""
        event_log = events.EventLog(self.run_dir)
        event_log.append(step=step(self.run_dir), interrupted=cause, notice=text)
        event_log.close()


def causes(error: Any) -> Iterator[BaseException]:
    """Yield an exception and its causes, unwrapped."""
    cause: Any = error
    while isinstance(cause, BaseException):
        yield cause
        for failure in getattr(cause, "worker_failures", {}).values():
            yield from causes(failure)
        # Ray stores the exception of a worker or the controller in one of several private attributes.
        inner = (getattr(cause, name, None) for name in ("controller_failure", "_base_exc", "cause", "__cause__"))
        cause = next((each for each in inner if each is not None), None)
