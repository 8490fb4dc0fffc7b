"""The module of `plain_lightning` on several workers, as Ray documents it.

Source: docs.ray.io, "Get Started with Distributed Training using PyTorch Lightning".
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import ray.train.lightning
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from benchmarks.contenders.common import mnist, report
from benchmarks.contenders.plain_lightning import BATCH, Classifier, Times
from benchmarks.contenders.torch_mnist import Digits


def train_func(settings: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    workers = ray.train.get_context().get_world_size()
    data = {split: Digits(part) for split, part in mnist().items()}
    train = torch.utils.data.DataLoader(data["train"], batch_size=BATCH // workers, shuffle=True)
    val = torch.utils.data.DataLoader(data["val"], batch_size=1000)
    times = Times()
    trainer = pl.Trainer(
        max_epochs=settings["epochs"],
        devices="auto",
        accelerator="auto",
        strategy=ray.train.lightning.RayDDPStrategy(),
        plugins=[ray.train.lightning.RayLightningEnvironment()],
        callbacks=[times, ray.train.lightning.RayTrainReportCallback()],
        enable_checkpointing=False,
    )
    trainer = ray.train.lightning.prepare_trainer(trainer)
    trainer.fit(Classifier("cnn"), train, val)
    if trainer.is_global_zero:
        Path(settings["out"]).write_text(json.dumps(times.figures))


def main(workers: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        TorchTrainer(
            train_func,
            train_loop_config={"epochs": epochs, "out": str(out)},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=False),
            run_config=RunConfig(storage_path=folder),
        ).fit()
        report(**json.loads(out.read_text()))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
