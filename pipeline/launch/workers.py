"""A group of workers on a Ray cluster that outlives its members.

Ray Train replaces a dead worker. Where that is not enough (a node gone, new or draining, a set-up that failed) a new
group is started here, of the largest number of workers that fits the nodes and the shards. Each group resumes from the
newest checkpoint in the run's folder.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import ray
from ray.exceptions import RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.util.placement_group import PlacementGroup, get_current_placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.config import Config
from pipeline.errors import LaunchError, PipelineError
from pipeline.launch import bits, head, metrics, placement
from pipeline.launch import cluster as clusters
from pipeline.launch.capacity import CapacityRequest
from pipeline.launch.data_bundle import pack, unpack
from pipeline.launch.failure_count import newest_step
from pipeline.launch.failures import Failures, TooFewNodes, causes, root
from pipeline.launch.node_monitor import reporting
from pipeline.launch.process_group import ProcessGroupConfig
from pipeline.launch.run_dir_actor import RunDirActor, workspace
from pipeline.launch.trainer import Trainer
from pipeline.runs import interruption
from pipeline.training import cpu
from pipeline.types import DataSet, FitResult

COLLECTIVE_S = 180  # a worker's wait for another's gradients; torch's default is half an hour
ROOM_S = 300  # a run's wait for nodes
POLL_S = 1
PLACEMENT_S = 5
SETTLE_S = 10  # without a change in the number of nodes, before a group grows to less than its most
MAKE_WAY = {"drain": "a node is draining", "resize": "there is room for more workers"}


def run(config: Config, data: DataSet, *, data_dir: Path, run_dir: Path) -> FitResult:
    """Train on the connected cluster until the model is stored.

    Raises: what `fit` raises; LaunchError if workers keep dying or find no room; SystemExit if the head is lost.
    """
    driver = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(driver, soft=False)
    actor = (
        ray.remote(RunDirActor)
        .options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
        .remote(str(run_dir), config["trainer"]["keep_checkpoints"])
    )
    arguments = {
        # Without `tracking`: its address may hold a password, and Ray stores these arguments.
        "config": {key: value for key, value in config.items() if key != "tracking"},
        "bundle": pack(data.name, data.digest, data_dir, send=len(ray.nodes()) > 1),
        "data_dir": str(data_dir),
        "run_dir": str(run_dir),
        "actor": actor,
        "driver": driver,  # its node
    }
    cluster, shards = config["cluster"], config["trainer"].get("shards", 1)
    most = placement.largest_fitting(shards, cluster, shards)
    request = CapacityRequest(run_dir.name, clusters.per_worker(cluster), most)
    with metrics.of_run(run_dir), request:
        return _Groups(cluster, run_dir, actor, arguments, shards, request).run()


class _Groups:
    """Groups of workers, one after the other, until one finishes or stops on request."""

    def __init__(
        self,
        cluster: Config,
        run_dir: Path,
        actor: Any,
        arguments: dict[str, Any],
        shards: int,
        request: CapacityRequest,
    ) -> None:
        self.cluster, self.run_dir, self.actor, self.arguments, self.shards = cluster, run_dir, actor, arguments, shards
        self.request = request
        self.used: set[str] = set()  # nodes of the newest group
        self.resources: PlacementGroup | None = None  # of the newest group
        self.fitting, self.fitting_since = 0, 0.0  # how many workers the nodes hold, and since when it is so many
        self.no_room_since: float | None = None

    def run(self) -> FitResult:
        failures = Failures(self.run_dir, self.cluster, self.actor)
        while True:
            room = self.room()
            workers = placement.largest_fitting(room, self.cluster, self.shards)
            if room < workers:
                self.wait_for_room(failures)
            try:
                result = self.group(workers, failures)
            except (TrainingFailedError, RayError) as error:  # the latter: the controller itself died
                if interruption.reason(self.run_dir) == "":
                    raise SystemExit(75) from error
                if isinstance(error, RayError):
                    self.release()
                self.judge(error, workers, failures)
                continue
            why = interruption.reason(self.run_dir)
            if not result.stopped or not why:
                return result
            interruption.withdraw(self.run_dir)
            failures.note(why, f"{MAKE_WAY[why]}: resuming from step {newest_step(self.run_dir)}")

    def group(self, workers: int, failures: Failures) -> FitResult:
        """Train with a group of workers; its result."""
        self.actor.forget_nodes.remote()  # without waiting: the actor may start while the group does
        self.used, self.resources = set(), None
        failures.workers = workers
        trainer = Trainer(
            _worker,
            train_loop_config=self.arguments,
            backend_config=ProcessGroupConfig("nccl" if self.cluster["gpus_per_worker"] else "gloo", COLLECTIVE_S),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=bool(self.cluster["gpus_per_worker"]),
                resources_per_worker=clusters.per_worker(self.cluster),
            ),
            run_config=RunConfig(
                # A unique name: Ray Train silently resumes an older run of the same name.
                name=f"{self.run_dir.name}-{time.time_ns()}",
                storage_path=str(self.run_dir / "ray"),
                # `Failures` limits them, and this loop waits for room.
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=0),
                callbacks=[failures],
            ),
        )
        outcome: list[Any] = []
        # Not in the main thread: there Ray Train would handle Ctrl-C itself, and exit with 0.
        thread = threading.Thread(target=lambda: outcome.append(_outcome(trainer)), name="trainer", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(POLL_S)
            head.reach()
            why = None if interruption.requested(self.run_dir) else self.reason_to_make_way(workers)
            if why and not interruption.requested(self.run_dir):  # a Ctrl-C may have come meanwhile
                interruption.request(self.run_dir, why)
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return cast(FitResult, outcome[0])

    def room(self, workers: int = 0) -> int:
        """The number of workers with room on the live nodes; an elastic run asks for those lacking beside `workers`."""
        if clusters.worker_range(self.cluster)[0] < self.request.most:
            self.request.ask(self.request.most - workers)
        return clusters.room(self.cluster)

    def reason_to_make_way(self, workers: int) -> str | None:
        """The reason to store the group's state and start another group; None if there is none."""
        with suppress(RayError):  # the actor is being restarted
            used, resources = ray.get(self.actor.placement.remote(), timeout=PLACEMENT_S)
            self.used, self.resources = used or self.used, resources or self.resources
        if self.used:  # the group has found room: the next wait is another
            self.no_room_since = None
        if self.used & clusters.draining():
            return "drain"
        fitting, now = placement.largest_fitting(self.room(workers), self.cluster, self.shards), time.monotonic()
        if fitting != self.fitting:
            self.fitting, self.fitting_since = fitting, now
        # Nodes that an autoscaler starts join one after the other; each new group costs its start.
        settled = fitting == self.request.most or now - self.fitting_since > SETTLE_S
        return "resize" if self.used and workers < fitting and settled else None

    def release(self) -> None:
        """Give back the resources of a group whose controller died: Ray does so only with a dashboard."""
        if self.resources:
            remove_placement_group(self.resources)

    def judge(self, error: Exception, workers: int, failures: Failures) -> None:
        """Raises: PipelineError if no other group can follow the one that ended with `error`."""
        for cause in causes(error):
            if isinstance(cause, PipelineError):
                raise cause from error
            if isinstance(cause, TooFewNodes):
                return
        if "StartupTimeout" not in type(getattr(error, "controller_failure", None)).__name__:
            failures.count("the group", root(error))
            return
        self.wait_for_room(failures)
        if time.monotonic() - (self.no_room_since or 0) > ROOM_S:
            raise LaunchError(f"{clusters.shortage(self.cluster)} No room for {workers} in {ROOM_S} s.") from error

    def wait_for_room(self, failures: Failures) -> None:
        """Begin to wait for room, and report it once."""
        if self.no_room_since is None:
            self.no_room_since = time.monotonic()
            failures.note("room", f"{clusters.shortage(self.cluster)} Waiting {ROOM_S} s for room.")


def _worker(arguments: dict[str, Any]) -> FitResult:
    """Train in one worker process."""
    actor = arguments["actor"]
    actor.hold.remote(get_current_placement_group())  # before the imports, during which the controller may die
    bits.choose(arguments["config"]["cluster"])
    cpu.fix_instructions()  # its node may have been started without them
    from ray.train.torch import get_device

    from pipeline.launch.worker_metrics import TimedExchange, WorkerMetrics
    from pipeline.training.exchange import ProcessGroup
    from pipeline.training.fit import fit

    logging.getLogger("lightning").propagate = False  # it has a handler, as has Ray's root logger: each line came twice
    bundle, context, node = arguments["bundle"], ray.train.get_context(), ray.get_runtime_context().get_node_id()
    ray.get(actor.enter.remote(context.get_world_rank(), context.get_world_size(), node, os.getpid()))
    config, exchange = arguments["config"], TimedExchange(ProcessGroup())
    measured = WorkerMetrics(Path(arguments["run_dir"]).name, exchange, config["data"]["batch_size"])
    elsewhere = node != arguments["driver"] and context.get_local_rank() == 0
    with (
        reporting(actor, elsewhere),
        workspace(actor, Path(arguments["run_dir"]), context.get_world_rank()) as run_dir,
    ):
        return fit(
            config,
            data_dir=unpack(bundle, Path(arguments["data_dir"])),
            run_dir=run_dir,
            data_digest=bundle.digest,
            exchange=exchange,
            device=get_device(),
            prepare=measured.attach,
        )


def _outcome(trainer: Trainer) -> Any:
    try:
        return trainer.fit().return_value
    except BaseException as error:
        return error
