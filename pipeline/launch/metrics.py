"""Metrics of a training on a cluster, for Prometheus: each node's Ray exports them beside its own, prefixed `ray_`.

Workers measure themselves (`worker_metrics`); the driver derives progress and goodput from the run's event log.
`infra/kuberay/monitoring` has a dashboard of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.util.metrics import Counter, Gauge

from pipeline.runs import events
from pipeline.runs.goodput import goodput
from pipeline.types import Event

PUBLISH_S = 5.0


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name, without Ray's prefix, and what it measures."""

    name: str
    description: str


STEPS = Metric("pipeline_steps", "Training steps of a worker")
SAMPLES = Metric("pipeline_samples", "Training samples of a run: data.batch_size a batch, counted by the first worker")
STEP_S = Metric("pipeline_step_seconds", "Time of a worker's steps, exchange included")
DATA_S = Metric("pipeline_data_wait_seconds", "Time that a worker's steps waited for their batch")
EXCHANGE_S = Metric("pipeline_exchange_seconds", "Time that a worker exchanged gradients, waiting for others included")
CPU_S = Metric("pipeline_worker_cpu_seconds", "Processor time of a worker")
COUNTERS = (STEPS, SAMPLES, STEP_S, DATA_S, EXCHANGE_S, CPU_S)
MEMORY = Metric("pipeline_worker_memory_bytes", "Resident memory of a worker")
GPU_MEMORY = Metric("pipeline_worker_gpu_memory_bytes", "Memory of its GPU that a worker's tensors take")
GPU_USE = Metric("pipeline_worker_gpu_use_ratio", "Share of the last seconds in which a worker's GPU was busy")
PROGRESS = Metric("pipeline_progress_ratio", "Share of a run's steps that are done")
GOODPUT = Metric("pipeline_goodput_ratio", "Share of a run's training time that made progress")
RESTARTS = Metric("pipeline_restarts", "Interruptions of a run: failures, drained nodes, changes of size")
GAUGES = (MEMORY, GPU_MEMORY, GPU_USE, PROGRESS, GOODPUT, RESTARTS)


@contextmanager
def of_run(run_dir: Path) -> Iterator[None]:
    """Publish a run's progress, goodput and restarts from its event log while the block runs."""
    gauges = {each: tagged(Gauge, each, {"run": run_dir.name}) for each in (PROGRESS, GOODPUT, RESTARTS)}
    known: list[Event] = []

    def consume(new: list[Event]) -> None:
        known.extend(new)
        for each, value in run_values(known).items():
            gauges[each].set(value)

    with events.follow(run_dir, consume, PUBLISH_S):
        yield


def run_values(known: list[Event]) -> dict[Metric, float]:
    """Progress, goodput and restarts from a run's events."""
    found = goodput(known)
    values = {GOODPUT: found["run/goodput"], RESTARTS: found["run/restarts"]}
    steps = [event["step"] / event["total"] for event in known if "total" in event]
    return {**values, PROGRESS: steps[-1]} if steps else values


def tagged(kind: type[Counter] | type[Gauge], metric: Metric, tags: dict[str, str]) -> Any:
    """A metric of Ray's with fixed tags."""
    made = kind(metric.name, metric.description, tuple(tags))
    made.set_default_tags(tags)
    return made
