"""Run `fit` under Ray Train: one worker in this process, more as a worker group (gloo on CPUs, NCCL on GPUs).

One worker uses Ray Train's local mode: the same train function, without the 20 to 45 s that a cluster's start takes.
"""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pipeline.launch.cluster import in_process
from pipeline.types import DataSet, FitResult


def train(config: dict[str, Any], data: DataSet, *, data_dir: Path, run_dir: Path) -> FitResult:
    """Train `config` (checked, resolved, plain data) on `data` on as many workers as it says; `connect` comes first.

    Raises: what `fit` raises; LaunchError if the workers can't be had or keep dying; Interrupted.
    """
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    if in_process(config["cluster"]):
        return _in_this_process(config, data, data_dir, run_dir)
    from pipeline.launch import workers

    result = workers.run(config, data, data_dir=data_dir, run_dir=run_dir)
    return replace(result, model_dir=run_dir / "model")


def _in_this_process(config: dict[str, Any], data: DataSet, data_dir: Path, run_dir: Path) -> FitResult:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from pipeline.training.fit import fit

    logging.getLogger("ray").setLevel(logging.WARNING)
    trainer = TorchTrainer(
        lambda: fit(config, data_dir=data_dir, run_dir=run_dir, data_digest=data.digest),
        scaling_config=ScalingConfig(num_workers=0),
        # A name of its own: Ray Train silently goes on with an older run of the same name.
        run_config=RunConfig(name=run_dir.name, storage_path=str(run_dir / "ray")),
    )
    return cast(FitResult, trainer.fit().return_value)
