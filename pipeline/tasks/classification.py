"""Classification: cross-entropy loss on hard or soft labels, accuracy."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.tasks.task import Task

# B batch, K class
MIN_PROBABILITY = 0.0025  # of a teacher: limits the log-odds of two classes to 6


class Classification(Task):
    """Train `net`, which maps a batch of inputs to (B, K) logits, on labels_B or on soft labels, (B, K).

    `logit_match_weight` > 0 replaces cross-entropy on soft labels by that weight times the squared distance between
    the net's and the teacher's logits, both centred (Ba, Caruana 2014, arXiv:1312.6184).
    Label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        label_smoothing: float = 0.0,
        logit_match_weight: float = 0.0,
    ):
        super().__init__(net, optimizer, schedule)
        self.label_smoothing, self.logit_match_weight = label_smoothing, logit_match_weight

    def logits(self, inputs: Tensor) -> Tensor:
        """(B, K) logits that the loss is computed from."""
        logits_BK: Tensor = self.net(inputs)
        return logits_BK

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels_B = batch
        logits_BK = self.logits(inputs)
        loss = self._loss(logits_BK, labels_B)
        self._count("train", loss, logits_BK, labels_B)
        return loss

    def _loss(self, logits_BK: Tensor, labels: Tensor) -> Tensor:
        if labels.ndim == 1 or not self.logit_match_weight:
            return F.cross_entropy(logits_BK, labels, label_smoothing=self.label_smoothing)
        cross_entropy_B = F.cross_entropy(logits_BK, labels, label_smoothing=self.label_smoothing, reduction="none")
        difference_BK = _centred(logits_BK) - _centred(labels.clamp(min=MIN_PROBABILITY).log())
        return torch.where(
            labels.amax(dim=1) == 1, cross_entropy_B, self.logit_match_weight * (difference_BK**2).sum(dim=1)
        ).mean()

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


def _centred(logits_BK: Tensor) -> Tensor:
    return logits_BK - logits_BK.mean(dim=1, keepdim=True)
