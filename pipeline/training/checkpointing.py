"""Checkpoints of a training run: written atomically, pruned, resumed from."""

import math
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Unpack, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import CheckpointIO

from pipeline.errors import CheckpointError, PipelineError
from pipeline.runs import checkpoints
from pipeline.runs.events import EventLog
from pipeline.types import CheckpointFacts, Manifest, PrimaryMetric

if TYPE_CHECKING:
    from pipeline.data.batches import Batches

NOTHING = nullcontext()


class StoppedError(Exception):
    """Training was requested to stop, and its state is stored."""


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's states as folders that are whole or absent."""

    def save_checkpoint(self, state: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        def write(aside: Path) -> None:
            # Not straight into the file: where the disk is full, torch hides the reason behind one of its own.
            content = BytesIO()
            torch.save(state, content)
            (aside / checkpoints.STATE).write_bytes(content.getbuffer())

        checkpoints.publish(Path(path), write, **storage_options)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Raises: CheckpointError if it does not verify, or holds anything but tensors and plain containers."""

        def load(place: Path, _: Manifest) -> dict[str, Any]:
            state: dict[str, Any] = torch.load(place / checkpoints.STATE, map_location=map_location, weights_only=True)
            return state

        try:
            return checkpoints.read(Path(path), load)
        except UnpicklingError as error:
            raise CheckpointError(
                f"{Path(path) / checkpoints.STATE}: holds more than tensors and plain values: it was not written here. "
                "Remove that folder, then resume."
            ) from error

    def remove_checkpoint(self, path: str | Path) -> None:
        shutil.rmtree(path)


class Checkpoints(Checkpoint):
    """Keeps the last few states of training and the best one, each whole or absent.

    A state is stored between two optimiser steps: when `every_s` or `every_steps` have passed, when `stop` is true, at
    the end of an epoch that validates better than any before, and when an exception is raised between two steps.
    Several workers store and stop together, after the step that any of them started with that wish: their wishes travel
    with the step's gradients.

    Raises: StoppedError once the state is stored, if `stop` returned true; PipelineError if a weight is not finite.
    """

    def __init__(
        self,
        folder: Path,
        event_log: EventLog,
        stop: Callable[[], bool],
        *,
        every_s: float,
        every_steps: int | None,
        keep: int,
        facts: CheckpointFacts,
    ):
        self.folder, self.event_log, self.stop = folder, event_log, stop
        self.every_s, self.every_steps, self.keep, self.facts = every_s, every_steps, keep, facts
        self.metrics: dict[str, float] = {}  # of the last whole epoch
        self.spent = {"wall_s": 0.0, "cpu_s": 0.0}  # up to the last state, by all tries
        self.clock = _clock()
        self.between = False  # whether the state is that between two steps
        self.terminated = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.saved_s, self.saved_step = time.monotonic(), trainer.global_step
        self.best = checkpoints.best_score(self.folder)
        if threading.current_thread() is threading.main_thread():
            # Lightning's own handler would stop in the midst of validation, with nothing kept.
            signal.signal(signal.SIGTERM, self.terminated)

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: object, batch_idx: int) -> None:
        self.between, self.before = False, trainer.global_step
        if trainer.world_size > 1:
            trainer.strategy.wishes = list(self._wishes(trainer))  # type: ignore[attr-defined]

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if (
            trainer.is_last_batch or trainer.global_step == self.before
        ):  # the epoch's end follows; gradients are waiting
            return
        due, stop = trainer.strategy.wishes if trainer.world_size > 1 else self._wishes(trainer)  # type: ignore[attr-defined]
        self._take_if(due, stop, trainer, module)
        self.between, self.done = True, batch_idx + 1

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        step, epoch, cpu_s = trainer.global_step, trainer.current_epoch, self.count(trainer)["cpu_s"]
        if trainer.is_global_zero:
            self.event_log.append(step=step, epoch=epoch, metrics=self.metrics, cpu_s=cpu_s)
        headline = PrimaryMetric.of(self.metrics, "val")
        score = headline.value if headline else math.nan
        better = score > self.best  # never if it is no number
        self.best = score if better else self.best
        anyone = partial(trainer.strategy.reduce_boolean_decision, all=False)
        stop = anyone(self.stop())
        facts: CheckpointFacts = {} if math.isnan(score) else {"score": score}
        # A worker of another node may know another best score: its folder may lack earlier states.
        due = anyone(better or stop or self._due(trainer))
        self._take_if(due, stop, trainer, module, **facts)

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        loader = cast("Batches", trainer.train_dataloader)
        alone = trainer.world_size == 1  # other workers would not take part
        # A batch in hand counts as taken, but no step was made of it.
        if isinstance(exception, Exception) and alone and self.between and loader.taken == self.done:
            self._take(trainer, module)

    def state_dict(self) -> dict[str, dict[str, float]]:
        return {"metrics": self.metrics, "spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, dict[str, float]]) -> None:
        self.metrics, self.spent = state_dict["metrics"], state_dict["spent"]

    def count(self, trainer: Trainer) -> dict[str, float]:
        """The seconds that training took so far, by all tries; CPU-seconds of all workers."""
        now = _clock()
        wall_s = now[0] - self.clock[0]
        mine_s = torch.tensor(now[1] - self.clock[1], device=trainer.strategy.root_device)
        cpu_s = trainer.strategy.reduce(mine_s, reduce_op="sum")
        self.spent = {"wall_s": self.spent["wall_s"] + wall_s, "cpu_s": self.spent["cpu_s"] + float(cpu_s)}
        self.clock = now
        return self.spent

    def _due(self, trainer: Trainer) -> bool:
        steps = self.every_steps is not None and trainer.global_step - self.saved_step >= self.every_steps
        return steps or time.monotonic() - self.saved_s >= self.every_s

    def _wishes(self, trainer: Trainer) -> tuple[bool, bool]:
        """Whether this worker wants the state stored, and to stop."""
        stop = self.stop()
        return stop or self._due(trainer), stop

    def _take_if(
        self, due: bool, stop: bool, trainer: Trainer, module: LightningModule, **facts: Unpack[CheckpointFacts]
    ) -> None:
        # Every worker takes part in a save, or none does.
        if due:
            self._take(trainer, module, **facts)
        if stop:
            raise StoppedError

    def _take(self, trainer: Trainer, module: LightningModule, **more: Unpack[CheckpointFacts]) -> None:
        step = trainer.global_step
        if not all(bool(torch.isfinite(weight).all()) for weight in module.parameters()):
            raise PipelineError(
                f"A weight is no longer a number after step {step} (epoch {trainer.current_epoch}); that state is not "
                "kept. Lower model.optimizer.lr or set trainer.gradient_clip_val."
            )
        folder = self.folder / f"step-{step:09d}"
        facts: CheckpointFacts = {**self.facts, **more, "step": step, "epoch": trainer.current_epoch}
        self.count(trainer)
        trainer.save_checkpoint(folder, weights_only=False, storage_options=facts)
        self.saved_s, self.saved_step = time.monotonic(), step
        if trainer.is_global_zero:
            checkpoints.prune(self.folder, self.keep)


def _clock() -> tuple[float, float]:
    """Seconds since a fixed moment, and CPU-seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime
