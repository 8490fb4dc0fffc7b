"""Train one configuration in this process: data and task are built, Lightning runs them, the model is stored.

Infrastructure is an argument, so the same code trains in a test and as one worker of a cluster.
"""

import resource
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pipeline import checkpoint
from pipeline.config import build, build_data, digest
from pipeline.errors import PipelineError
from pipeline.spool import Spool
from pipeline.types import FitResult

PROGRESS_EVERY_S = 0.5


def build_task(config: dict[str, Any]) -> LightningModule:
    """The configured task around its net, its weights drawn from the seed."""
    seed_everything(config["seed"], verbose=False)
    task: LightningModule = build(config["model"])
    return task


def fit(
    config: dict[str, Any],
    *,
    data_dir: Path,
    run_dir: Path,
    strategy: Any = "auto",
    plugins: Sequence[Any] = (),
    prepare: Callable[[Trainer], Trainer] = lambda trainer: trainer,
    devices: int | str = 1,
) -> FitResult:
    """Train as `config` says and leave the model in `run_dir/model`; goes on from the newest checkpoint in `run_dir`.

    Every worker calls this; rank 0 writes. `prepare` adapts the Trainer to what launched it.
    """
    settings, cluster = config["trainer"], config["cluster"]
    torch.set_num_threads(cluster["threads_per_worker"])
    data, task = build_data(config, data_dir), build_task(config)
    data.setup()
    facts = {"config_digest": digest(config), "data_digest": data.describe().digest}
    spool = Spool(run_dir)
    ema = settings["ema_decay"]
    trainer = Trainer(
        accelerator="gpu" if cluster["gpus_per_worker"] else "cpu",
        devices=devices,
        strategy=strategy,
        # Said outright, or Lightning would take a Slurm job's variables for its own workers'.
        plugins=list(plugins) or [LightningEnvironment()],
        precision=settings["precision"],
        max_epochs=settings["max_epochs"],
        accumulate_grad_batches=settings["accumulate_grad_batches"],
        gradient_clip_val=settings["gradient_clip_val"],
        callbacks=[
            *([WeightAveraging(multi_avg_fn=partial(average, ema))] if ema is not None else []),
            Watch(spool, config["seed"]),
            Checkpoints(run_dir / "checkpoints", settings["checkpoint_every_s"], settings["keep_checkpoints"], facts),
            Samples(run_dir / "samples"),
        ],
        logger=SpoolLogger(spool),
        default_root_dir=run_dir,
        # CPUs are deterministic at a fixed number of threads; there the switch would only fill memory.
        deterministic="warn" if cluster["gpus_per_worker"] else None,
        use_distributed_sampler=False,  # our batches are already shared between the workers
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # only epochs have metrics, so this costs nothing; 50 would warn on a small set
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer = prepare(trainer)
    newest = checkpoint.newest(run_dir / "checkpoints")
    started, cpu = time.perf_counter(), _cpu_s()
    # Not `estimated_stepping_batches`, which drops the loader's state (Lightning's issue 20550).
    batches = len(data.train_dataloader())
    task.total_steps = settings["max_epochs"] * -(-batches // settings["accumulate_grad_batches"])
    trainer.fit(task, datamodule=data, ckpt_path=newest and newest / checkpoint.STATE, weights_only=True)
    seconds = torch.tensor(_cpu_s() - cpu)
    result = FitResult(
        model_dir=run_dir / "model",
        metrics={name: float(value) for name, value in trainer.callback_metrics.items()},
        steps=trainer.global_step,
        epochs=trainer.current_epoch,
        wall_s=time.perf_counter() - started,
        cpu_s=float(trainer.strategy.reduce(seconds, reduce_op="sum")),
        workers=trainer.world_size,
        threads=torch.get_num_threads(),
        device=str(task.device),
    )
    if trainer.is_global_zero:
        store_model(config, task, data, result.model_dir, **facts)
    spool.close()
    return result


def store_model(config: dict[str, Any], task: LightningModule, data: Any, folder: Path, **facts: Any) -> None:
    """Weights and all that rebuilds and feeds them, in one verified folder that needs no run beside it."""

    def write(aside: Path) -> None:
        checkpoint.save_weights(task.net, aside / checkpoint.MODEL)
        checkpoint.save_config(config, getattr(data, "labels", ()), aside)
        if hasattr(data, "vocabulary"):
            data.vocabulary.save(aside)

    checkpoint.publish(folder, write, **facts)


def average(decay: float, averaged: Any, current: Any, updates: Any) -> None:
    """Move the averaged weights towards the current ones; young averages follow faster, or they would keep what the
    net was before it learned anything.
    """
    updates = int(updates)
    get_ema_multi_avg_fn(min(decay, (1 + updates) / (10 + updates)))(averaged, current, updates)


class SpoolLogger(Logger):
    """Lightning's metrics, appended to the run's spool."""

    name, version = "spool", "0"

    def __init__(self, spool: Spool):
        super().__init__()
        self.spool = spool

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        values = {key: value for key, value in metrics.items() if key != "epoch"}
        self.spool.append(step=step, epoch=int(metrics.get("epoch", 0)), metrics=values)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The run's parameters are logged once, by the driver."""


class Watch(Callback):
    """Seeds every step, tells the spool how far training is, and stops it where the loss is no longer a number.

    What a step draws (dropout) is a pure function of (seed, step, worker), so a run that goes on needs no generator's
    state to end as if it had never stopped.
    """

    def __init__(self, spool: Spool, seed: int):
        self.spool, self.seed, self.told = spool, seed, 0.0

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int) -> None:
        seed = (self.seed * 1_000_003 + trainer.global_step) * 10_007 + trainer.global_rank
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 2 ms
        if module.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        if trainer.is_global_zero and time.monotonic() - self.told >= PROGRESS_EVERY_S:
            self.told = time.monotonic()
            self.spool.append(
                step=trainer.global_step, total=module.total_steps, epoch=trainer.current_epoch, loss=float(loss)
            )
        if not torch.isfinite(loss):
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            raise PipelineError(
                f"The loss is {float(loss)} at step {trainer.global_step} (epoch {trainer.current_epoch}, learning "
                f"rate {rate:.3g}). Lower model.optimizer.lr or set trainer.gradient_clip_val."
            )


class Checkpoints(Callback):
    """Keeps the last few states of training, each at the end of an epoch, each whole or absent."""

    def __init__(self, folder: Path, every_s: float, keep: int, facts: dict[str, Any]):
        self.folder, self.every_s, self.keep, self.facts = folder, every_s, keep, facts
        self.saved = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        due = time.monotonic() - self.saved >= self.every_s
        if not trainer.strategy.broadcast(due):  # every worker takes part in a save, or none does
            return
        self.saved = time.monotonic()
        folder = self.folder / f"step-{trainer.global_step:09d}"
        if trainer.is_global_zero:
            checkpoint.publish(folder, lambda aside: trainer.save_checkpoint(aside / checkpoint.STATE), **self.facts)
            checkpoint.prune(self.folder, self.keep)
        else:
            trainer.save_checkpoint(folder / checkpoint.STATE)  # writes nothing, but rank 0's waits for it


class Samples(Callback):
    """Keeps what a generator draws at the end of each epoch, so that its progress can be looked at."""

    def __init__(self, folder: Path):
        self.folder = folder

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, module: Any) -> None:
        if hasattr(module, "samples"):
            self.folder.mkdir(exist_ok=True)
            np.save(self.folder / f"epoch-{trainer.current_epoch + 1:04d}.npy", module.samples.numpy())


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
