"""Language modelling: predict the next word of a text."""

from typing import Any

from torch import Tensor

from pipeline.tasks.task import Task
from pipeline.types import PAD

# B batch, T time


class LanguageModelling(Task):
    """Train `net` on the negative log-likelihood of the next word; `loss` is its mean a word, in nats.

    The output bias is initialised with the unigram distribution (`init_unigram_bias`), which would otherwise take
    hundreds of steps to learn.
    """

    net: Any

    def setup(self, stage: str) -> None:
        self.net.init_unigram_bias(self.data.unigram_probabilities())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        nll, words = self.net.nll(batch[0], exact=False)
        self.add("train", nll, words)
        loss: Tensor = nll / words.clamp(min=1)
        return loss

    def weight(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The words that are predicted: all but each text's first."""
        return (batch[0][:, 1:] != PAD).sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.add("val", *self.net.nll(batch[0], exact=True))

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def _log(self, split: str) -> None:
        nll, words = self.total(split, 2)
        self.log(f"{split}/loss", nll / words)
