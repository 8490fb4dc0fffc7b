"""A classifier that learned from drawn images alone, asked about real ones.

Source: Ravuri, Vinyals 2019, arXiv:1905.10887 (classification accuracy score).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pipeline.config import build
from pipeline.data.batches import Batches

# N drawn images, B batch, C channel, H height, W width
EPOCHS = 3


def classification_accuracy_score(
    config: dict[str, Any],
    images_NCHW: Tensor,
    labels_N: Tensor,
    real: Iterable[tuple[Tensor, Tensor]],
    epochs: int = EPOCHS,
) -> float:
    """The share of `real` images, batches of (images_BCHW, labels_B), that the classifier `config` tells right after
    `epochs` of the drawn ones and the classes they were asked to be.

    It is worth no more than the worst of what was drawn: images that look right but all alike, or of a wrong class,
    teach little. The same for the same images: the weights and the order are drawn from a seed of their own.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        task = build(config["model"])
        epoch = 0
        batches = Batches((images_NCHW, labels_N), config["data"]["batch_size"], seed=0, epoch=lambda: epoch)
        optimizer = task.optimizer(task.net.parameters())
        schedule = task.schedule(optimizer, total_steps=epochs * len(batches)) if task.schedule else None
        for epoch in range(epochs):  # noqa: B007  # the batches ask for it
            for batch in batches:
                optimizer.zero_grad()
                task.training_step(batch, 0).backward()
                optimizer.step()
                if schedule:
                    schedule.step()
    task.eval()
    with torch.inference_mode():
        right = torch.cat([task.net(images).argmax(dim=1) == labels for images, labels in real])
    return float(right.float().mean())
