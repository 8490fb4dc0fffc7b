"""A bare torch loop over the pipeline's net, batches and sample order: the least that training can take.

With the same seed and no dropout it ends with the pipeline's weights, bit for bit (tests/test_benchmarks.py).
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.contenders.common import Clock, mnist, report
from pipeline.config import load_config, resolve
from pipeline.training.fit import build_task

EVAL_BATCH = 1000


def configured(model: str, epochs: int, seed: int) -> dict[str, Any]:
    """The pipeline's resolved configuration."""
    words = (f"model={model}", "data=mnist", "model.net.dropout=0", f"trainer.max_epochs={epochs}", f"seed={seed}")
    plain: dict[str, Any] = resolve(load_config(*words))
    return plain


def order(seed: int, epoch: int, count: int, batch: int) -> list[Tensor]:
    """The pipeline's batches of an epoch, as indices."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    indices = torch.randperm(count, generator=torch.Generator().manual_seed(int(state)))
    return list(indices[: count // batch * batch].split(batch))


def train(
    net: nn.Module,
    config: dict[str, Any],
    data: dict[str, tuple[Tensor, Tensor]],
    epoch_ends: Callable[[], None] = lambda: None,
) -> float:
    """Train for all epochs. Returns: validation accuracy after the last epoch."""
    images, labels = data["train"]
    model, batch, epochs = config["model"], config["data"]["batch_size"], config["trainer"]["max_epochs"]
    settings = {key: value for key, value in model["optimizer"].items() if not key.startswith("_")}
    optimizer = torch.optim.AdamW(net.parameters(), **settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        total_steps=epochs * (len(labels) // batch),
        **{key: value for key, value in model["schedule"].items() if not key.startswith("_")},
    )
    for epoch in range(epochs):
        net.train()
        for chosen in order(config["seed"], epoch, len(labels), batch):
            logits = net(images[chosen].float().div_(255))
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=model["label_smoothing"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        val = accuracy(net, *data["val"])
        epoch_ends()
    return val


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    net.eval()
    with torch.no_grad():
        correct = [
            net(batch.float().div_(255)).argmax(dim=1) == truth
            for batch, truth in zip(images.split(EVAL_BATCH), labels.split(EVAL_BATCH), strict=True)
        ]
    return torch.cat(correct).float().mean().item()


def main(model: str, epochs: int, seed: int) -> None:
    torch.set_num_threads(1)
    config = configured(model, epochs, seed)
    net: Any = build_task(config).net
    data = {
        split: (torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels))
        for split, (images, labels) in mnist().items()
    }
    clock = Clock()
    val = train(net, config, data, clock.epoch)
    spent = clock.read()
    report(val=val, test=accuracy(net, *data["test"]), **spent)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
