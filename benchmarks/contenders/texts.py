"""One's own texts of so many megabytes, made up, from a CSV file to batches.

`python -m benchmarks.contenders.texts MB`, in a folder of its own.
"""

import csv
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.common import Clock, tell

BATCHES, LINE_WORDS, VOCABULARY = 200, 200, 50_000


def write(path: Path, megabytes: int) -> None:
    """Lines of words, the k-th commonest of which is there 1/k as often."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(VOCABULARY)])
    shares = 1 / np.arange(1, VOCABULARY + 1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        while file.tell() < megabytes * 1_000_000:
            for line in rng.choice(words, (100, LINE_WORDS), p=shares / shares.sum()):
                writer.writerow([" ".join(line), "ab"[rng.integers(2)]])


def main(megabytes: int) -> None:
    path = Path(f"texts-{megabytes}.csv")
    if not path.is_file():
        write(path, megabytes)
    from pipeline.config import build_data, load_config, resolve

    words = ("data=own_texts", "model=lstm", f"data.path={path}", "data.classes=2")
    clock = Clock()
    data: Any = build_data(resolve(load_config(*words)), Path("data"))
    data.setup()
    for _ in itertools.islice(data.train_dataloader(), BATCHES):
        pass
    tell(prepare_cpu_s=clock.read()["train_cpu_s"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
