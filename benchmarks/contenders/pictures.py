"""Synthetic pictures in class folders, from PNG files through batches to training steps of a CNN.

`python -m benchmarks.contenders.pictures COUNT`, in a folder of its own; nothing stays there.
"""

import itertools
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.common import Clock, report

STEPS, SIDE = 100, 32
OVERRIDES = ("data=image_folder", "model=cnn", "data.in_shape=[1,28,28]", "data.classes=2", "model.net.dropout=0")


def write(folder: Path, count: int) -> None:
    """Write PNG files of noise in two class folders: no two of them are near-duplicates."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in "ab":
        (folder / label).mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[number % 2] / f"{number:06}.png", compress_level=1)


class PeakMemory:
    """The most memory that the process had of its own, without pages of files, looked up 20 times a second."""

    def __init__(self) -> None:
        self.megabytes, self.ended = 0.0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.ended.wait(0.05):
            found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
            assert found
            self.megabytes = max(self.megabytes, int(found[1]) / 1024)

    def read(self) -> float:
        self.ended.set()
        return self.megabytes


def main(count: int) -> None:
    folder, caches = Path(f"pictures-{count}"), (Path(".cache/pictures"), Path(".cache/splits"))
    write(folder, count)
    for cache in caches:
        shutil.rmtree(cache, ignore_errors=True)
    from torch.nn.functional import cross_entropy

    from pipeline.config import build_data, load_config, resolve
    from pipeline.training.fit import build_task

    config = resolve(load_config(*OVERRIDES, f"data.path={folder}"))
    peak, clock = PeakMemory(), Clock()
    data: Any = build_data(config, Path("data"))
    data.setup()
    prepare_s = clock.read()["train_cpu_s"]
    task: Any = build_task(config)
    optimizer = task.optimizer(task.net.parameters())
    clock = Clock()
    batches = itertools.chain.from_iterable(itertools.repeat(data.train_dataloader()))
    for batch in itertools.islice(batches, STEPS):
        images, labels = data.on_after_batch_transfer(batch, 0)
        optimizer.zero_grad()
        cross_entropy(task.net(images), labels).backward()
        optimizer.step()
    steps_s = clock.read()["train_cpu_s"]
    clock = Clock()
    again: Any = build_data(config, Path("data"))
    again.setup()
    report(
        prepare_cpu_s=prepare_s,
        steps_cpu_s=steps_s,
        again_cpu_s=clock.read()["train_cpu_s"],
        anon_mb=peak.read(),
        pictures=sum(again.describe().rows.values()),
    )
    for path in (*caches, folder):
        shutil.rmtree(path)


if __name__ == "__main__":
    main(int(sys.argv[1]))
