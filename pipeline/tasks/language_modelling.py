"""Language modelling: predict the next word of a text."""

from typing import Any

from torch import Tensor

from pipeline.tasks.task import Task
from pipeline.types import PAD

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

    def weight(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The words that are predicted: all but each text's first."""
        return (batch[0][:, 1:] != PAD).sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.add("val", *self.net.surprise(batch[0], exact=True))

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def _log(self, split: str) -> None:
        nats, words = self.total(split, 2)
        self.log(f"{split}/loss", nats / words)
