"""Shared by contenders: MNIST in the pipeline's split, clocks, and the printed result."""

import json
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

GOAL = 0.99  # of the validation images, at the end of an epoch: training stops
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def mnist() -> dict[str, Arrays]:
    """train (55,000), val (5,000) and test (10,000) as (images_NHW, labels_N), split as the pipeline splits them."""
    with np.load(Path(os.environ["BENCHMARK_DATA"]) / "mnist.npz") as file:
        return {split: (file[f"{split}_images"], file[f"{split}_labels"]) for split in ("train", "val", "test")}


class Clock:
    """Seconds and CPU-seconds of this process since the clock was made; `epoch_cpu_s` of an epoch after the first."""

    def __init__(self) -> None:
        self.began = self._now()
        self.ends: list[float] = []

    def epoch(self) -> None:
        """Note the end of an epoch."""
        self.ends.append(self._now()[1])

    def read(self) -> dict[str, float]:
        wall, cpu = self._now()
        return {"train_wall_s": wall - self.began[0], "train_cpu_s": cpu - self.began[1], **steady(self.ends)}

    @staticmethod
    def _now() -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime


def steady(cpu_s: Sequence[float]) -> dict[str, float]:
    """CPU-seconds an epoch in the steady state, from the clock at the end of each epoch."""
    return {"epoch_cpu_s": (cpu_s[-1] - cpu_s[0]) / (len(cpu_s) - 1)} if len(cpu_s) > 1 else {}


def report(**figures: Any) -> None:
    """Print the figures as the last line."""
    print(json.dumps(figures), flush=True)
