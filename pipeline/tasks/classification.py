"""Classification: a net's logits, the cross-entropy to learn from, the accuracy to report."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.tasks.task import Task

# B batch, K class


class Classification(Task):
    """Train `net`, which turns a batch of inputs into (B, K) logits, on labels_B or on shares of each class, (B, K).

    Label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        label_smoothing: float = 0.0,
    ):
        super().__init__(net, optimizer, schedule)
        self.label_smoothing = label_smoothing

    def logits(self, inputs: Tensor) -> Tensor:
        """What is learned from: (B, K)."""
        logits_BK: Tensor = self.net(inputs)
        return logits_BK

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels_B = batch
        logits_BK = self.logits(inputs)
        loss = F.cross_entropy(logits_BK, labels_B, label_smoothing=self.label_smoothing)
        self._count("train", loss, logits_BK, labels_B)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        inputs, labels_B = batch
        logits_BK = self.logits(inputs)
        self._count("val", F.cross_entropy(logits_BK, labels_B), logits_BK, labels_B)

    def on_train_epoch_end(self) -> None:
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        self._log("val")

    def _count(self, split: str, loss: Tensor, logits_BK: Tensor, labels_B: Tensor) -> None:
        labels_B = labels_B if labels_B.ndim == 1 else labels_B.argmax(dim=1)
        self.add(split, loss * len(labels_B), (logits_BK.argmax(dim=1) == labels_B).sum(), len(labels_B))

    def _log(self, split: str) -> None:
        loss, correct, count = self.total(split, 3)
        self.log_dict({f"{split}/loss": loss / count, f"{split}/accuracy": correct / count})
