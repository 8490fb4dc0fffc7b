"""Callbacks around training's steps: progress, averaged weights, a generator's samples."""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pipeline.errors import PipelineError
from pipeline.runs.events import EventLog
from pipeline.training.checkpointing import NOTHING

if TYPE_CHECKING:
    from pipeline.tasks.task import Task

READ_EVERY = 50
PROGRESS_EVERY_S = 0.5


class WeightEMA(WeightAveraging):
    """An exponential mean of the weights, which is what is validated and stored.

    Young averages follow faster, or they would keep the net's untrained state.
    """

    def __init__(self, decay: float):
        super().__init__(multi_avg_fn=partial(average, decay))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Left to `on_fit_end`, which also comes where a run is resumed after its last step."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)


def average(decay: float, averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor) -> None:
    """Move the averaged weights towards the current ones."""
    count = int(updates)
    get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, count)


class Progress(Callback):
    """Logs how far training is, and stops it where the loss is no longer a finite number.

    Reading a number from a GPU waits for all of its work, so losses stay there for up to `READ_EVERY` batches.
    """

    def __init__(self, event_log: EventLog):
        self.event_log, self.logged = event_log, 0.0
        self.unread: list[tuple[int, int, Tensor]] = []  # step, batch, loss

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: object, batch_idx: int
    ) -> None:
        loss = outputs["loss"].detach()
        self.unread.append((trainer.global_step, batch_idx, loss))
        total = cast("Task", module).total_steps
        last = trainer.global_step == total  # so that a finished run is shown as finished
        due = trainer.is_global_zero and (last or time.monotonic() - self.logged >= PROGRESS_EVERY_S)
        if due:
            self.logged = time.monotonic()
            self.event_log.append(step=trainer.global_step, total=total, epoch=trainer.current_epoch, loss=loss.item())
        if due or loss.device.type == "cpu" or trainer.is_last_batch or len(self.unread) == READ_EVERY:
            self._check(trainer, module)

    def _check(self, trainer: Trainer, module: LightningModule) -> None:
        """Raises: PipelineError naming the first step whose loss is not a finite number."""
        unread, self.unread = self.unread, []
        for (step, batch_idx, _), loss in zip(unread, _values([loss for *_, loss in unread]), strict=True):
            if not math.isfinite(loss):
                rate = trainer.optimizers[0].param_groups[0]["lr"]
                norm = get_total_norm([p.grad for p in module.parameters() if p.grad is not None])
                raise PipelineError(
                    f"The loss is {loss} at step {step} (epoch {trainer.current_epoch}, batch {batch_idx}, "
                    f"learning rate {rate:.3g}, gradient norm {float(norm):.3g}). Lower model.optimizer.lr or set "
                    "trainer.gradient_clip_val."
                )


def _values(losses: list[Tensor]) -> list[float]:
    """The numbers in scalar tensors, read at once."""
    return [losses[0].item()] if len(losses) == 1 else torch.stack(losses).tolist()


class Unprofiled(PassThroughProfiler):
    """Measures nothing, as Lightning's own, without a generator around each of a step's 40 hooks."""

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return NOTHING


class SampleImages(Callback):
    """Keeps what a generator draws at the end of each epoch, so that its progress can be looked at."""

    def __init__(self, folder: Path):
        self.folder = folder

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        samples = cast("Task", module).samples
        if samples is not None:
            self.folder.mkdir(exist_ok=True)
            np.save(self.folder / f"epoch-{trainer.current_epoch + 1:04d}.npy", samples.numpy())
