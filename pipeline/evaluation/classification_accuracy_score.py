"""Classification accuracy score: the accuracy on real images of a classifier trained on generated images only.

Source: Ravuri, Vinyals 2019, arXiv:1905.10887.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from pipeline.config import Config, build
from pipeline.data.batches import Batches

# N generated images, B batch, C channel, H height, W width
EPOCHS = 3


def classification_accuracy_score(
    config: Config,
    images_NCHW: Tensor,
    labels_N: Tensor,
    real: Iterable[tuple[Tensor, Tensor]],
    epochs: int = EPOCHS,
) -> float:
    """The accuracy on `real`, batches of (images_BCHW, labels_B), of the classifier `config` after `epochs` of training
    on the generated images and the classes they were generated for.

    The score is low if the images lack variety or show a wrong class. It is deterministic: initial weights and sample
    order have a seed of their own, and the global generator is left untouched.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        task = build(config["model"])
        epoch = 0
        batches = Batches((images_NCHW, labels_N), config["data"]["batch_size"], seed=0, epoch=lambda: epoch)
        optimizer = task.optimizer(task.net.parameters())
        schedule = task.build_schedule(optimizer, epochs * len(batches))
        for epoch in range(epochs):  # noqa: B007  # the batches read it
            for batch in batches:
                optimizer.zero_grad()
                task.training_step(batch, 0).backward()
                optimizer.step()
                if schedule:
                    schedule.step()
    task.eval()
    with torch.inference_mode():
        correct = torch.cat([task.net(images).argmax(dim=1) == labels for images, labels in real])
    return float(correct.float().mean())
