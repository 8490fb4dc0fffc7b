"""Shared by contenders: MNIST in the pipeline's split, clocks, and the printed result."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

GOAL = 0.99  # of the validation images, at the end of an epoch: training stops
WARM_S = 3  # seconds of steps that are not counted
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def mnist() -> dict[str, Arrays]:
    """train (55,000), val (5,000) and test (10,000) as (images_NHW, labels_N), split as the pipeline splits them."""
    with np.load(Path(os.environ["BENCHMARK_DATA"]) / "mnist.npz") as file:
        return {split: (file[f"{split}_images"], file[f"{split}_labels"]) for split in ("train", "val", "test")}


class Clock:
    """Seconds and CPU-seconds of this process since the clock was made."""

    def __init__(self) -> None:
        self.began = self._now()

    def read(self) -> dict[str, float]:
        wall, cpu = self._now()
        return {"train_wall_s": wall - self.began[0], "train_cpu_s": cpu - self.began[1]}

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), cpu_s()


class Pace:
    """Time of a step in the steady state: over some seconds, after `WARM_S` seconds that do not count."""

    def __init__(self, seconds: float):
        self.seconds, self.steps, self.cpu_s = seconds, 0, 0.0
        self.began, self.warm_from = 0.0, time.perf_counter()

    def step(self) -> bool:
        """Count a step. Returns: whether the seconds have passed."""
        now = time.perf_counter()
        self.steps += bool(self.began)
        if not self.began and now > self.warm_from + WARM_S:
            self.began, self.cpu_s = now, cpu_s()
        self.ended = now
        return bool(self.began) and now > self.began + self.seconds

    def read(self) -> dict[str, float]:
        """Milliseconds and CPU-milliseconds a step, of this process and its children."""
        return {
            "ms_per_step": 1000 * (self.ended - self.began) / self.steps,
            "cpu_ms_per_step": 1000 * (cpu_s() - self.cpu_s) / self.steps,
        }


def cpu_s(pid: int | None = None) -> float:
    """CPU-seconds of a process (None: this one) and its running children."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in [process, *process.children(recursive=True)])


def report(**figures: Any) -> None:
    """Print the figures as the last line."""
    print(json.dumps(figures), flush=True)
