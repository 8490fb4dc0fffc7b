"""A bare torch loop over the pipeline's net and batches: the least that training can take.

`python -m benchmarks.contenders.torch_loop SECONDS OVERRIDE…`. With one thread, the same seed and no dropout it ends
with the pipeline's weights, bit for bit (tests/test_benchmarks.py).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.contenders.common import Pace, report
from pipeline.config import Config, build_data, load_config, resolve
from pipeline.training.fit import build_task


def steps(net: nn.Module, config: Config, data: Any) -> Iterator[None]:
    """Train for all epochs, step by step."""
    model, epochs = config["model"], config["trainer"]["max_epochs"]
    settings = {key: value for key, value in model["optimizer"].items() if not key.startswith("_")}
    optimizer = torch.optim.AdamW(net.parameters(), **settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        total_steps=epochs * len(data.train_dataloader()),
        **{key: value for key, value in model["schedule"].items() if not key.startswith("_")},
    )
    net.train()
    for epoch in range(epochs):
        for batch in data.train_dataloader(epoch.__int__):
            inputs, labels = data.on_after_batch_transfer(batch, 0)
            loss = F.cross_entropy(net(inputs), labels, label_smoothing=model["label_smoothing"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield


def main(seconds: float, *overrides: str) -> None:
    config = resolve(load_config(*overrides))
    data: Any = build_data(config, Path("data"))
    data.setup()
    net: Any = build_task(config).net
    pace = Pace(seconds)
    for _ in steps(net, config, data):
        if pace.step():
            break
    report(**pace.read())


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
