"""A group of workers on a Ray cluster that outlives its members.

Ray Train replaces a dead worker. Where that is not enough (a node gone, new or draining, a set-up that failed) a new
group is started here, of the largest number of workers that fits the nodes and the shards. Each group resumes from the
newest checkpoint in the run's folder.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import ray
from ray.exceptions import RayActorError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError, UserCallback
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.errors import LaunchError, PipelineError
from pipeline.launch import cluster as clusters
from pipeline.launch import placement
from pipeline.launch.data_bundle import pack, unpack
from pipeline.launch.failures import PATIENCE as PATIENCE
from pipeline.launch.failures import FailureCount
from pipeline.launch.run_dir_actor import RunDirActor, step, workspace
from pipeline.runs import interruption
from pipeline.training import cpu
from pipeline.types import DataSet, FitResult

COLLECTIVE_S = 180  # that a worker waits for another's gradients; torch's default is half an hour
LEAVE_S = 5  # that a broken group may take to leave; Ray gives it 30, and one that hangs takes them all
ROOM_S = 300  # that a run waits for nodes
LOOK_S = 1
MAKE_WAY = {"drain": "a node was asked to go", "resize": "there is room for more workers"}


def run(config: dict[str, Any], data: DataSet, *, data_dir: Path, run_dir: Path) -> FitResult:
    """Train on the connected cluster until the model is stored.

    Raises: what `fit` raises; LaunchError if workers keep dying or find no room; SystemExit if the head is lost.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    home = (
        ray.remote(RunDirActor)
        .options(num_cpus=0, scheduling_strategy=here)
        .remote(str(run_dir), config["trainer"]["keep_checkpoints"])
    )
    arguments = {
        # Not where it is tracked: that address may hold a password, and Ray keeps these arguments.
        "config": {key: value for key, value in config.items() if key != "tracking"},
        "parcel": pack(data.name, data.digest, data_dir, send=len(ray.nodes()) > 1),
        "data_dir": str(data_dir),
        "run_dir": str(run_dir),
        "home": home,
    }
    return _Groups(config["cluster"], run_dir, home, arguments, config["trainer"].get("shards", 1)).run()


class TooFewNodes(Exception):
    """There is no room left for a group of this size: a smaller one need not wait until this one is sure of it."""


class _Groups:
    """One group after the other, until one ends as it should."""

    def __init__(
        self, cluster: dict[str, Any], run_dir: Path, home: Any, arguments: dict[str, Any], shards: int
    ) -> None:
        self.cluster, self.run_dir, self.home, self.arguments, self.shards = cluster, run_dir, home, arguments, shards
        self.no_room_since: float | None = None

    def run(self) -> FitResult:
        failures = Failures(self.run_dir, self.cluster)
        while True:
            workers = self.fitting()
            try:
                result = self.group(workers, failures)
            except (TrainingFailedError, RayActorError) as error:  # the latter: the controller itself died
                if interruption.reason(self.run_dir) == "":
                    raise SystemExit(75) from error
                self.judge(error, workers, failures)
                continue
            why = interruption.reason(self.run_dir)
            if not result.stopped or not why:
                return result
            interruption.withdraw(self.run_dir)
            failures.note(why, f"{MAKE_WAY[why]}: going on from step {step(self.run_dir)}")

    def fitting(self) -> int:
        """How many workers the next group has."""
        return placement.largest_fitting(clusters.room(self.cluster), self.cluster, self.shards)

    def group(self, workers: int, failures: "Failures") -> FitResult:
        """The result of a group of workers."""
        ray.get(self.home.forget_nodes.remote())
        failures.workers = workers
        trainer = TorchTrainer(
            _worker,
            train_loop_config=self.arguments,
            torch_config=TorchConfig(timeout_s=COLLECTIVE_S),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=bool(self.cluster["gpus_per_worker"]),
                resources_per_worker=clusters.per_worker(self.cluster),
            ),
            run_config=RunConfig(
                # A name of its own: Ray Train silently goes on with an older run of the same name.
                name=f"{self.run_dir.name}-{time.time_ns()}",
                storage_path=str(self.run_dir / "ray"),
                # `Failures` counts them; whether there is room is found out here.
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=0),
                callbacks=[failures],
            ),
        )
        outcome: list[Any] = []
        # Not in the main thread: there Ray Train would take Ctrl-C for itself, and exit with 0.
        thread = threading.Thread(target=lambda: outcome.append(_outcome(trainer)), name="trainer", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(LOOK_S)
            clusters.reach_head()
            if not interruption.requested(self.run_dir) and (why := self.reason_to_make_way(workers)):
                interruption.request(self.run_dir, why)
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        self.no_room_since = None
        return cast(FitResult, outcome[0])

    def reason_to_make_way(self, workers: int) -> str | None:
        """Why the group should keep its state and make way for another, if it should."""
        used = ray.get(self.home.nodes.remote())
        if used & clusters.draining():
            return "drain"
        return "resize" if used and workers < self.fitting() else None

    def judge(self, error: Exception, workers: int, failures: "Failures") -> None:
        """Raises: PipelineError if there is no going on after a group's end."""
        for cause in _causes(error):
            if isinstance(cause, PipelineError):
                raise cause from error
            if isinstance(cause, TooFewNodes):
                return
        if "StartupTimeout" not in type(getattr(error, "controller_failure", None)).__name__:
            failures.count("the group", error)
            return
        self.no_room_since = self.no_room_since or time.monotonic()
        if time.monotonic() - self.no_room_since > ROOM_S:
            raise LaunchError(
                f"cluster.workers={self.cluster['workers']}: no room for {workers} workers of "
                f"{clusters.per_worker(self.cluster)} in {ROOM_S} s. Add nodes, or lower it, then resume."
            ) from error
        failures.note("room", f"no room for {workers} workers yet")


class Failures(FailureCount, UserCallback):  # type: ignore[misc]
    """Decides in Ray Train's controller whether workers start again after a failure, and logs it."""

    def __init__(self, run_dir: Path, cluster: dict[str, Any]):
        super().__init__(run_dir)
        self.cluster, self.workers = cluster, 0

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Raises: PipelineError, which ends the run: what a worker raised itself, or that none gets further;
        TooFewNodes, which ends the group.
        """
        os.environ["TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S"] = str(LEAVE_S)  # read by this process, the controller's
        for error in worker_exceptions.values():
            for cause in _causes(error):
                if isinstance(cause, PipelineError):
                    raise cause
        # One that died makes the others fail.
        rank, error = max(worker_exceptions.items(), key=lambda item: "HealthCheck" in type(item[1]).__name__)
        self.count(f"worker {rank}", error, hung="HealthCheckTimeout" in type(error).__name__)
        if clusters.room(self.cluster) < self.workers:
            raise TooFewNodes


def _worker(arguments: dict[str, Any]) -> FitResult:
    """Train as one worker of the group."""
    cpu.fix_instructions()  # its node may have been started without
    from ray.train.torch import get_device

    from pipeline.training.exchange import ProcessGroup
    from pipeline.training.fit import fit

    home, parcel, context = arguments["home"], arguments["parcel"], ray.train.get_context()
    ray.get(
        home.enter.remote(context.get_world_rank(), context.get_world_size(), ray.get_runtime_context().get_node_id())
    )
    with workspace(home, Path(arguments["run_dir"]), context.get_world_rank()) as run_dir:
        return fit(
            arguments["config"],
            data_dir=unpack(parcel, Path(arguments["data_dir"])),
            run_dir=run_dir,
            data_digest=parcel.digest,
            exchange=ProcessGroup(),
            device=get_device(),
        )


def _outcome(trainer: TorchTrainer) -> Any:
    try:
        return trainer.fit().return_value
    except BaseException as error:
        return error


def _causes(error: Any) -> Iterator[BaseException]:
    """An exception and those it came from, unwrapped."""
    cause: Any = error
    while isinstance(cause, BaseException):
        yield cause
        for failure in getattr(cause, "worker_failures", {}).values():
            yield from _causes(failure)
        # Ray keeps the exception a worker or the controller raised in one private place or another.
        kept = (getattr(cause, name, None) for name in ("controller_failure", "_base_exc", "cause", "__cause__"))
        cause = next((inner for inner in kept if inner is not None), None)
