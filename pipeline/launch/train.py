"""Run `fit` where it is configured: in this process, on several of this machine, or on a Ray cluster.

One worker uses Ray Train's local mode, which needs no cluster: starting one takes 20 to 45 s. Several workers of one
machine are forked (`local`). A cluster's workers exchange gradients by gloo, or NCCL on GPUs. Their number changes no
weight: `trainer.shards` decides what is computed.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from pipeline.config import Config
from pipeline.launch.cluster import in_process
from pipeline.launch.local import LocalWorkers, standby
from pipeline.launch.local_group import Job
from pipeline.types import DataSet, FitResult


@contextmanager
def prepare(config: Config) -> Iterator[LocalWorkers | None]:
    """Local workers in waiting, if `config` asks for several; before this process starts threads: see `local`."""
    cluster = config["cluster"]
    if cluster.get("address") or cluster["workers"] == 1:
        yield None
        return
    with standby(config) as workers:
        yield workers


def train(
    config: Config, data: DataSet, *, data_dir: Path, run_dir: Path, local: LocalWorkers | None = None
) -> FitResult:
    """Train `config` (checked, resolved, plain data) on `data`; `connect` and `prepare` come first.

    Raises: what `fit` raises; LaunchError if the workers can't be had or keep dying; Interrupted.
    """
    if local:
        return local.run(Job(config, data_dir, run_dir, data.digest))
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    if in_process(config["cluster"]):
        return _in_this_process(config, data, data_dir, run_dir)
    from pipeline.launch import workers

    result = workers.run(config, data, data_dir=data_dir, run_dir=run_dir)
    return replace(result, model_dir=run_dir / "model")


def _in_this_process(config: Config, data: DataSet, data_dir: Path, run_dir: Path) -> FitResult:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from pipeline.training.fit import fit

    logging.getLogger("ray").setLevel(logging.WARNING)
    trainer = TorchTrainer(
        lambda: fit(config, data_dir=data_dir, run_dir=run_dir, data_digest=data.digest),
        scaling_config=ScalingConfig(num_workers=0),
        # A unique name: Ray Train silently resumes an older run of the same name.
        run_config=RunConfig(name=run_dir.name, storage_path=str(run_dir / "ray")),
    )
    return cast(FitResult, trainer.fit().return_value)
