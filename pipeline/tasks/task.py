"""Base of all tasks: a net, its optimiser and schedule, and metrics summed over an epoch."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from pipeline.errors import ConfigError

MOST_SUMS = 4  # that a task adds up over an epoch
LENGTH = ("total_steps", "T_max", "total_iters")  # how schedules name their length: the run's, unless it is given

Built = TypeVar("Built")


class Task(LightningModule):
    """LightningModule that trains `net`, the module that is stored afterwards.

    `optimizer` is called with the parameters, `schedule` with the optimiser and, as its `total_steps`, `T_max` or
    `total_iters`, the optimiser steps of the run; it advances with every one of them.
    """

    # S shard, K sum
    samples: Tensor | None = None  # (N, H, W) uint8: images that a generator made at the last validation
    # The logical shard in hand, set by the strategy; how many a batch has and which are this worker's, set by `fit`.
    shard, shards, own = 0, 1, range(1)
    total_steps: int  # optimiser steps of the whole run, set by `fit`
    data: Any  # the data module, set by `fit`: tasks import no data

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

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = _called("model.optimizer", self.optimizer, self.parameters())
        schedule = self.build_schedule(optimizer, self.total_steps)
        if schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def build_schedule(
        self, optimizer: torch.optim.Optimizer, steps: int
    ) -> torch.optim.lr_scheduler.LRScheduler | None:
        """The schedule of a run of so many optimiser steps; None if the rate is constant.

        Raises: ConfigError if its constructor refuses its arguments.
        """
        if self.schedule is None:
            return None
        accepted, given = inspect.signature(self.schedule).parameters, getattr(self.schedule, "keywords", {})
        length = {name: steps for name in LENGTH if name in accepted and name not in given}
        return _called("model.schedule", self.schedule, optimizer, **length)

    def weight(self, batch: Any) -> int | Tensor:
        """Over how many samples (or words) the loss of a batch is a mean: how much a shard counts among the others."""
        return len(batch[1])

    def add(self, split: str, *sums: Tensor | int) -> None:
        """Add a batch's sums to the epoch's; each logical shard has its own."""
        values = [torch.as_tensor(value, dtype=torch.float, device=self.device).detach() for value in sums]
        if split not in self.sums:
            self.sums[split] = self._zeros()
        self.sums[split][self.shard, : len(sums)] += torch.stack(values)

    def total(self, split: str, count: int) -> list[float]:
        """The epoch's `count` sums over all shards, added in pairs; `self.log` would take 2 ms a step."""
        sums_SK = self._gathered(self.sums.pop(split, self._zeros()))
        while len(sums_SK) > 1:
            sums_SK = sums_SK[0::2] + sums_SK[1::2]
        total: list[float] = sums_SK[0, :count].tolist()
        return total

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Of every worker, also of one that has added nothing yet.
        checkpoint["sums"] = {"train": self._gathered(self.sums.get("train", self._zeros()).clone())}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # They are of all shards: each worker resumes its own.
        self.sums = {}
        for split, sums_SK in checkpoint["sums"].items():
            self.sums[split] = self._zeros()
            own = slice(self.own.start, self.own.stop)
            self.sums[split][own] = sums_SK[own].to(self.device)

    def _zeros(self) -> Tensor:
        return torch.zeros(self.shards, MOST_SUMS, device=self.device)

    def _gathered(self, sums_SK: Tensor) -> Tensor:
        """The sums of all shards; those of other workers' shards are zero here."""
        gathered: Tensor = self.trainer.strategy.reduce(sums_SK, reduce_op="sum")
        return gathered


def _called(key: str, function: Callable[..., Built], *arguments: Any, **named: Any) -> Built:
    """The result of an optimiser's or a schedule's constructor.

    Raises: ConfigError if it refuses its arguments.
    """
    try:
        return function(*arguments, **named)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}: {error}. `pipeline config` shows its arguments.") from error
