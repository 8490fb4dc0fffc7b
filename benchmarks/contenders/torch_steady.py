"""A bare torch loop over the pipeline's own net for some seconds of steps, with so many intra-op threads.

`python -m benchmarks.contenders.torch_steady SECONDS THREADS BATCH`
"""

import resource
import sys
import time
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.contenders.common import mnist, report
from benchmarks.contenders.torch_loop import configured, order
from pipeline.training.fit import build_task

WARM_S = 2


def main(seconds: float, threads: int, batch: int) -> None:
    torch.set_num_threads(threads)
    config = configured("cnn", 1, 0)
    net: Any = build_task(config).net.train()
    settings = {key: value for key, value in config["model"]["optimizer"].items() if not key.startswith("_")}
    optimizer = torch.optim.AdamW(net.parameters(), **settings)
    images, labels = (torch.from_numpy(array) for array in mnist()["train"])
    images = images.unsqueeze(1)
    steps, began, cpu = 0, 0.0, 0.0
    started = time.perf_counter()
    while not began or time.perf_counter() - began < seconds:
        for chosen in order(0, steps, len(labels), batch)[:20]:
            optimizer.zero_grad()
            logits = net(images[chosen].float().div_(255))
            F.cross_entropy(logits, labels[chosen], label_smoothing=config["model"]["label_smoothing"]).backward()
            optimizer.step()
            steps += 1
        if not began and time.perf_counter() - started > WARM_S:
            steps, began, cpu = 0, time.perf_counter(), _cpu_s()
    spent = time.perf_counter() - began
    report(steps=steps, ms_per_step=1000 * spent / steps, cpu_ms_per_step=1000 * (_cpu_s() - cpu) / steps)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
