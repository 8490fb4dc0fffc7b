"""Base of all tasks: a net, its optimiser and schedule, and metrics summed over an epoch."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from pipeline.errors import ConfigError


class Task(LightningModule):
    """LightningModule that trains `net`, the module that is stored afterwards.

    `optimizer` is called with the parameters, `schedule` with the optimiser and `total_steps`; it advances with every
    optimiser step.
    """

    samples: Tensor | None = None  # (N, H, W) uint8: images that a generator made at the last validation
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
        self.sums: dict[str, Tensor] = {}  # an entry a split

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning sets this 44 times a step, and torch's own method would search its parameters each time.
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def load_initial_weights(self, weights: dict[str, Tensor], origin: str) -> None:
        """Copy the weights of the model `origin` whose names occur in the net's state dict.

        Raises: ConfigError if none occurs, or one has another shape.
        """
        own = self.net.state_dict()
        common = {name: weight for name, weight in weights.items() if name in own}
        unlike = [name for name, weight in common.items() if weight.shape != own[name].shape]
        if unlike or not common:
            found = f"{unlike[0]} is {tuple(common[unlike[0]].shape)}" if unlike else "no weight has a name of this net"
            raise ConfigError(f"requires.init_from: in {origin} {found}. Give model.net the settings of that model.")
        self.net.load_state_dict({**own, **common})

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.schedule is None:
            return optimizer
        schedule = self.schedule(optimizer, total_steps=self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def add(self, split: str, *sums: Tensor | int) -> None:
        """Add a batch's sums to the epoch's."""
        batch = torch.stack([torch.as_tensor(value, dtype=torch.float, device=self.device).detach() for value in sums])
        self.sums[split] = self.sums[split].to(self.device) + batch if split in self.sums else batch

    def total(self, split: str, count: int) -> list[float]:
        """The epoch's `count` sums over all workers; exact, where `self.log` averages and takes 2 ms a step."""
        sums = self.sums.pop(split, torch.zeros(count, device=self.device))  # a worker may have no samples
        total: list[float] = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        return total

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        reduce = self.trainer.strategy.reduce
        checkpoint["sums"] = {split: reduce(sums.clone(), reduce_op="sum") for split, sums in self.sums.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # The stored sums are those of all workers together: one worker resumes from them, the others from 0.
        self.sums = checkpoint["sums"] if self.trainer.is_global_zero else {}
