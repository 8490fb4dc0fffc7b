"""Classification: a net's logits, the cross-entropy to learn from, the accuracy to report."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F

# B batch, K class


class Classification(LightningModule):
    """Train `net`, which turns a batch of inputs into (B, K) logits.

    `optimizer` and `schedule` are partial: they lack the parameters, and the optimiser and total steps. The schedule
    moves with every optimiser step. Label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
    """

    total_steps: int  # optimiser steps of the whole run, set by `fit`

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.net = net
        self.optimizer, self.schedule, self.label_smoothing = optimizer, schedule, label_smoothing
        self.sums: dict[str, Tensor] = {}  # of loss, correct answers and samples, an entry a split

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels_B = batch
        logits_BK = self.net(inputs)
        loss = F.cross_entropy(logits_BK, labels_B, label_smoothing=self.label_smoothing)
        self._add("train", loss, logits_BK, labels_B)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        inputs, labels_B = batch
        logits_BK = self.net(inputs)
        self._add("val", F.cross_entropy(logits_BK, labels_B), logits_BK, labels_B)

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.schedule is None:
            return optimizer
        schedule = self.schedule(optimizer, total_steps=self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _add(self, split: str, loss: Tensor, logits_BK: Tensor, labels_B: Tensor) -> None:
        correct = (logits_BK.argmax(dim=1) == labels_B).sum()
        batch = torch.stack([loss.detach() * len(labels_B), correct, torch.tensor(len(labels_B), device=loss.device)])
        self.sums[split] = self.sums.get(split, 0) + batch

    def _log(self, split: str) -> None:
        """Means over the epoch's samples, exact however they were shared; `self.log` would take 2 ms a step."""
        sums = self.sums.pop(split, torch.zeros(3, device=self.device))  # a worker's share may be empty
        loss, correct, count = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        self.log_dict({f"{split}/loss": loss / count, f"{split}/accuracy": correct / count})
