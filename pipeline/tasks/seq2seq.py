"""Translation: learn symbol by symbol from the true answer, be judged by the whole of one's own.

Source of teacher forcing: Williams, Zipser 1989, doi:10.1162/neco.1989.1.2.270.
"""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.types import PAD

# B batch, S time of the source, T time of the target, V symbol


class Translation(LightningModule):
    """Train `net`: `net.teach(source_BS, target_BT)` gives logits to learn from, `net(source_BS)` its own answer's.

    `loss` is the cross-entropy of a symbol in nats, `exact_match` the share of answers without a wrong symbol.
    `optimizer` and `schedule` are partial: they lack the parameters, and the optimiser and total steps. The schedule
    moves with every optimiser step.
    """

    total_steps: int  # optimiser steps of the whole run, set by `fit`

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
    ):
        super().__init__()
        self.net = net
        self.optimizer, self.schedule = optimizer, schedule
        self.sums: dict[str, Tensor] = {}  # of loss, symbols, exact answers and answers, an entry a split

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, symbols = self._taught(*batch)
        nothing = torch.zeros_like(loss)  # training does not write answers of its own
        self._add("train", loss.detach() * symbols, symbols, nothing, nothing)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        source_BS, target_BT = batch
        loss, symbols = self._taught(source_BS, target_BT)
        answer_BT = self.net(source_BS).argmax(dim=2)[:, : target_BT.shape[1]]
        exact = ((answer_BT == target_BT) | (target_BT == PAD)).all(dim=1)
        self._add("val", loss * symbols, symbols, exact.sum(), torch.tensor(len(exact), device=loss.device))

    def on_train_epoch_end(self) -> None:
        loss, symbols, _, _ = self._total("train")
        self.log("train/loss", loss / symbols)

    def on_validation_epoch_end(self) -> None:
        loss, symbols, exact, answers = self._total("val")
        self.log_dict({"val/loss": loss / symbols, "val/exact_match": exact / answers})

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.schedule is None:
            return optimizer
        schedule = self.schedule(optimizer, total_steps=self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _taught(self, source_BS: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss of a symbol under teacher forcing, and how many symbols there are."""
        logits_BTV = self.net.teach(source_BS, target_BT)  # type: ignore[operator]
        loss = F.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten(), ignore_index=PAD)
        return loss, (target_BT != PAD).sum()

    def _add(self, split: str, *sums: Tensor) -> None:
        self.sums[split] = self.sums.get(split, 0) + torch.stack(sums)

    def _total(self, split: str) -> list[float]:
        """The epoch's sums, exact however its words were shared; `self.log` in every step would take 2 ms."""
        sums = self.sums.pop(split, torch.zeros(4, device=self.device))  # a worker's share may be empty
        total: list[float] = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        return total
