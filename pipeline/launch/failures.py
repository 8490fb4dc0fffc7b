"""Failures of workers: which end the run, which end the group, and which are retried."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ray.train import UserCallback

from pipeline.errors import PipelineError
from pipeline.launch import cluster as clusters
from pipeline.launch import worker_logs
from pipeline.launch.failure_count import FailureCount
from pipeline.types import Config

if TYPE_CHECKING:
    from ray.actor import ActorHandle

SHUTDOWN_S = 5  # a broken group's time to shut down; Ray gives it 30, and one that hangs takes them all


class TooFewNodes(Exception):
    """The cluster can no longer hold a group of this size, so a smaller one starts without waiting."""


class Failures(FailureCount, UserCallback):  # type: ignore[misc]
    """Decides in Ray Train's controller whether a group may be restarted after a failure."""

    def __init__(self, run_dir: Path, cluster: Config, actor: "ActorHandle | None" = None):
        super().__init__(run_dir)
        self.cluster, self.workers, self.actor = cluster, 0, actor

    def after_exception(self, run_context: object, worker_exceptions: dict[int, Exception]) -> None:
        """Raises: PipelineError, which ends the run: a worker's own, or after too many failures;
        TooFewNodes, which ends the group.
        """
        os.environ["TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S"] = str(SHUTDOWN_S)  # of this process, the controller's
        if self.actor:
            worker_logs.copy_in_background(self.run_dir, self.actor, list(worker_exceptions))
        for error in worker_exceptions.values():
            for cause in causes(error):
                if isinstance(cause, PipelineError):
                    raise cause
        # A worker that hangs makes the others fail.
        rank, error = max(worker_exceptions.items(), key=lambda item: "HealthCheck" in type(item[1]).__name__)
        self.count(f"worker {rank}", root(error), hung="HealthCheckTimeout" in type(error).__name__)
        if clusters.room(self.cluster) < self.workers:
            raise TooFewNodes


def root(error: BaseException) -> BaseException:
    """The innermost cause of an exception, unwrapped."""
    return list(causes(error))[-1]


def causes(error: object) -> Iterator[BaseException]:
    """Yield an exception and its causes, unwrapped."""
    cause = error
    while isinstance(cause, BaseException):
        yield cause
        for failure in getattr(cause, "worker_failures", {}).values():
            yield from causes(failure)
        # Ray stores the exception of a worker or the controller in one of several private attributes.
        inner = (getattr(cause, name, None) for name in ("controller_failure", "_base_exc", "cause", "__cause__"))
        cause = next((each for each in inner if each is not None), None)
