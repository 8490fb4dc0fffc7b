"""Measure a worker's steps, its exchange of gradients and its memory; `metrics` describes what is published."""

import resource
import time
from typing import Any

import psutil
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from ray.util.metrics import Counter, Gauge
from torch import Tensor

from pipeline.launch.metrics import (
    COUNTERS,
    CPU_S,
    DATA_S,
    EXCHANGE_S,
    GPU_MEMORY,
    GPU_USE,
    MEMORY,
    PUBLISH_S,
    SAMPLES,
    STEP_S,
    STEPS,
    tagged,
)
from pipeline.training.exchange import Exchange


class TimedExchange:
    """An exchange that adds up the time that it takes."""

    def __init__(self, exchange: Exchange):
        self.exchange, self.seconds = exchange, 0.0
        self.rank, self.workers = exchange.rank, exchange.workers

    def sum(self, *pieces: Tensor) -> Tensor:
        began = time.perf_counter()
        total = self.exchange.sum(*pieces)
        self.seconds += time.perf_counter() - began
        return total


class WorkerMetrics(Callback):
    """Measures a worker's steps, and publishes the sums every `PUBLISH_S`: a step costs two readings of the clock."""

    def __init__(self, run: str, exchange: TimedExchange, batch_size: int):
        tags = {"run": run, "worker": str(exchange.rank)}
        self.counters = {each: tagged(Counter, each, tags) for each in COUNTERS}
        self.gauges = {each: tagged(Gauge, each, tags) for each in (MEMORY, GPU_MEMORY, GPU_USE)}
        self.exchange, self.batch_size = exchange, batch_size if exchange.rank == 0 else 0
        self.sums, self.published = dict.fromkeys(COUNTERS, 0.0), dict.fromkeys(COUNTERS, 0.0)
        self.mark, self.due, self.step = 0.0, 0.0, 0
        self.process = psutil.Process()

    def attach(self, trainer: Trainer) -> Trainer:
        """Add this callback to a trainer, after all others: their work at the end of a step counts as the step's."""
        trainer.callbacks.append(self)  # type: ignore[attr-defined]
        return trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.mark = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        now = time.perf_counter()
        self.sums[DATA_S] += now - self.mark
        self.mark = now

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.sums[STEP_S] += now - self.mark
        self.sums[STEPS] += trainer.global_step - self.step  # fewer than batches where gradients are accumulated
        self.step = trainer.global_step
        self.sums[SAMPLES] += self.batch_size
        if now >= self.due:
            self.publish(pl_module.device)
            self.due = now + PUBLISH_S
        self.mark = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.publish(pl_module.device)

    def publish(self, device: torch.device) -> None:
        """Hand the sums and the present use of memory to Ray."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.sums |= {EXCHANGE_S: self.exchange.seconds, CPU_S: used.ru_utime + used.ru_stime}
        for each, counter in self.counters.items():
            if (grown := self.sums[each] - self.published[each]) > 0:
                counter.inc(grown)
        self.published = dict(self.sums)
        self.gauges[MEMORY].set(self.process.memory_info().rss)
        if device.type == "cuda":
            self.gauges[GPU_MEMORY].set(torch.cuda.memory_allocated(device))
            if (use := _gpu_use(device)) is not None:
                self.gauges[GPU_USE].set(use)


def _gpu_use(device: torch.device) -> float | None:
    """The share of time that a GPU was busy; None without NVIDIA's library for Python."""
    try:
        return torch.cuda.utilization(device) / 100
    except (ImportError, RuntimeError):
        return None
