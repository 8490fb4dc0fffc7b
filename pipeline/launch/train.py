"""Run `fit` under Ray Train: one worker in this process, more as a worker group (gloo on CPUs, NCCL on GPUs).

One worker uses Ray Train's local mode: the same train function, without the 20 to 45 s that a cluster's start takes.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pipeline.errors import LaunchError, PipelineError
from pipeline.types import FitResult


def resolve_gpus(config: dict[str, Any]) -> int:
    """GPUs per worker: what was asked for, or for `auto` 1 where CUDA is at hand.

    Raises: LaunchError if a GPU was asked for and there is none.
    """
    import torch

    asked = config["cluster"]["gpus_per_worker"]
    there = torch.cuda.is_available()
    if asked == 1 and not there:
        raise LaunchError(
            "cluster.gpus_per_worker=1, but torch sees no GPU. Use cluster.gpus_per_worker=auto, or mend CUDA."
        )
    return int(there) if asked == "auto" else int(asked)


def train(config: dict[str, Any], *, data_dir: Path, run_dir: Path) -> FitResult:
    """Train `config` (checked, resolved, plain data) on as many workers as it says.

    Raises: what `fit` raises; LaunchError if the machine can't hold the workers.
    """
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    from ray.train import RunConfig, ScalingConfig, WorkerGroupError
    from ray.train.torch import TorchTrainer

    cluster = config["cluster"]
    workers, threads, gpus = cluster["workers"], cluster["threads_per_worker"], cluster["gpus_per_worker"]
    local = workers == 1
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"config": config, "data_dir": str(data_dir), "run_dir": str(run_dir)},
        scaling_config=ScalingConfig(
            num_workers=0 if local else workers,
            use_gpu=bool(gpus),
            resources_per_worker=None if local else {"CPU": threads, **({"GPU": gpus} if gpus else {})},
        ),
        # A name of its own: Ray Train silently goes on with an older run of the same name.
        run_config=RunConfig(name=run_dir.name, storage_path=str(run_dir / "ray")),
    )
    if local:
        logging.getLogger("ray").setLevel(logging.WARNING)
        return cast(FitResult, trainer.fit().return_value)
    with _cluster(workers, threads):
        try:
            return cast(FitResult, trainer.fit().return_value)
        except WorkerGroupError as error:
            raise next((e for e in _causes(error) if isinstance(e, PipelineError)), error) from error


def _worker(arguments: dict[str, Any]) -> FitResult:
    """What each worker runs; in local mode, this very process."""
    from pipeline.fit import fit

    config = arguments["config"]
    data_dir, run_dir = Path(arguments["data_dir"]), Path(arguments["run_dir"])
    if config["cluster"]["workers"] == 1:
        return fit(config, data_dir=data_dir, run_dir=run_dir)
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, prepare_trainer

    return fit(
        config,
        data_dir=data_dir,
        run_dir=run_dir,
        strategy=RayDDPStrategy(),
        plugins=[RayLightningEnvironment()],
        prepare=prepare_trainer,
        devices="auto",
    )


@contextmanager
def _cluster(workers: int, threads: int) -> Iterator[None]:
    """A Ray cluster on this machine for as long as the block runs."""
    import ray

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers * threads > cores:
        raise LaunchError(
            f"cluster.workers={workers} with cluster.threads_per_worker={threads} needs {workers * threads} cores, "
            f"this machine has {cores}. Lower one of them."
        )
    # One CPU more than the workers take: Ray Train's controller is an actor too.
    ray.init(num_cpus=workers * threads + 1, include_dashboard=False, log_to_driver=True)
    try:
        yield
    finally:
        ray.shutdown()


def _causes(error: Any) -> Iterator[BaseException]:
    """The exceptions that workers raised, unwrapped."""
    for failure in error.worker_failures.values():
        cause: BaseException | None = failure
        while cause is not None:
            yield cause
            # Ray keeps the exception a worker raised in one private place or another.
            cause = getattr(cause, "_base_exc", None) or getattr(cause, "cause", None) or cause.__cause__
