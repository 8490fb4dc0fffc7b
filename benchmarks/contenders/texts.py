"""Synthetic texts of MB megabytes, from a CSV file through batches to training steps of an LSTM.

`python -m benchmarks.contenders.texts MB`, in a folder of its own; nothing stays there.
"""

import csv
import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.common import Clock, report

STEPS, VOCABULARY, FRAGMENTS, SENTENCE = 100, 50_000, 4096, 12
OVERRIDES = ("data=own_texts", "model=lstm", "data.classes=2", "data.val_size=1000", "data.test_size=1000")


def write(path: Path, megabytes: int) -> None:
    """Write texts of about 235 words, as reviews have, by Zipf's law: the k-th most frequent word has weight 1/k.

    A text is 1 to 9 of the same 4,096 fragments, so that a gigabyte takes seconds.
    """
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, size)) for size in rng.integers(2, 9, VOCABULARY)])
    weights = 1 / np.arange(1, VOCABULARY + 1)
    drawn = rng.choice(words, (FRAGMENTS, 4, SENTENCE), p=weights / weights.sum())
    fragments = [" ".join(f"{' '.join(words).capitalize()}." for words in sentences) for sentences in drawn]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        written = 0
        while written < megabytes * 1_000_000:
            sizes = rng.integers(1, 10, 1000)
            places = iter(rng.integers(0, FRAGMENTS, sizes.sum()).tolist())
            texts = [" ".join(fragments[place] for place in itertools.islice(places, size)) for size in sizes.tolist()]
            writer.writerows(zip(texts, rng.choice(["a", "b"], 1000), strict=True))
            written += sum(map(len, texts)) + 4000


def main(megabytes: int) -> None:
    path, cache = Path(f"texts-{megabytes}.csv"), Path(".cache")
    write(path, megabytes)
    shutil.rmtree(cache, ignore_errors=True)
    from torch.nn.functional import cross_entropy

    from pipeline.config import build_data, load_config, resolve
    from pipeline.training.fit import build_task

    config = resolve(load_config(*OVERRIDES, f"data.path={path}"))
    clock = Clock()
    data: Any = build_data(config, Path("data"))
    data.setup()
    prepare_s = clock.read()["train_cpu_s"]
    task: Any = build_task(config)
    optimizer = task.optimizer(task.net.parameters())
    for tokens, labels in itertools.islice(data.train_dataloader(), STEPS):
        optimizer.zero_grad()
        cross_entropy(task.net(tokens), labels).backward()
        optimizer.step()
    clock = Clock()
    again: Any = build_data(config, Path("data"))
    again.setup()
    texts = sum(again.describe().rows.values())
    report(prepare_cpu_s=prepare_s, again_cpu_s=clock.read()["train_cpu_s"], texts=texts)
    shutil.rmtree(cache)
    path.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]))
