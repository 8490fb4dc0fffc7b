"""A net that first learns to guess words, from texts without labels, and then to classify.

Source: Dai, Le 2015, arXiv:1511.01432.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.tasks.classification import Classification
from pipeline.tasks.task import Task

# B batch, T time


class LanguageModelling(Task):
    """Train `net`, whose `surprise` at a batch of texts is in nats; `loss` is the mean of a word.

    It begins with how often each word occurs (`expect`), which would take it hundreds of steps to find out.
    """

    net: Any

    def setup(self, stage: str) -> None:
        self.net.expect(self.trainer.datamodule.shares())  # type: ignore[attr-defined]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        nats, words = self.net.surprise(batch[0], exact=False)
        self.add("train", nats, words)
        loss: Tensor = nats / words.clamp(min=1)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.add("val", *self.net.surprise(batch[0], exact=True))

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def _log(self, split: str) -> None:
        nats, words = self.total(split, 2)
        self.log(f"{split}/loss", nats / words)


class FineTuning(Classification):
    """Train a net that begins with weights of the model `start` (EXPERIMENT-SEED): those that both have."""

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        label_smoothing: float = 0.0,
        log_odds: float = 0.0,
        start: str | None = None,
    ):
        super().__init__(net, optimizer, schedule, label_smoothing, log_odds)
        self.start = start

    def inherit(self, weights: dict[str, Tensor]) -> None:
        """Take over the weights that bear the name of one of the net's.

        Raises: ConfigError if none does, or one has another shape.
        """
        own = self.net.state_dict()
        common = {name: weight for name, weight in weights.items() if name in own}
        unlike = [name for name, weight in common.items() if weight.shape != own[name].shape]
        if unlike or not common:
            told = f"{unlike[0]} is {tuple(common[unlike[0]].shape)}" if unlike else "has no weight of such a net"
            raise ConfigError(f"model.start: in {self.start} {told}. Set model.net as that model's is.")
        self.net.load_state_dict({**own, **common})
