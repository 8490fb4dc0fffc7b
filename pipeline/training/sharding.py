"""Logical shards: a step's batch is cut into the same S parts however many workers compute them.

Each shard has a forward and a backward pass of its own, its own random draws and its own batch-norm statistics, and
starts from the step's buffers. What the shards find is added in one fixed binary tree (`exchange`), so W workers with
S / W shards each end with the same bits for every W. Source of the idea: EasyScale (Li et al. 2022, arXiv:2208.14228).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from pipeline.data.batches import ONE_SHARD, Shard, Shards
from pipeline.tasks.task import Task
from pipeline.training.exchange import Alone, Exchange

CPU = torch.device("cpu")
Parts = tuple[Tensor, ...]  # what a shard, or several, add to a step, as `Layout` orders it
MICRO = 2_654_435_761  # odd, about 2^32 / golden ratio: the seeds of micro-batches lie far from those of steps


class ShardedStrategy(SingleDeviceStrategy):
    """Lightning's strategy for one device that computes some shards of each batch, and adds the other workers' results.

    With one shard this is plain training. With more, batches are lists of `Shard`s, and a shard's loss counts by the
    number of samples (or words) it is a mean of: the sum is the gradient of the mean over the whole batch. Gradients
    are exchanged once a micro-batch; clipping, the optimiser and averaged weights follow on every worker alike.

    `wishes` are flags of this worker; after a step they are how many workers had raised each before it.
    """

    lightning_module: Task

    def __init__(
        self, seed: int, shards: Shards = ONE_SHARD, exchange: Exchange | None = None, device: torch.device = CPU
    ):
        super().__init__(device)
        self.seed, self.shards, self.exchange = seed, shards, exchange or Alone()
        self.global_rank = self.local_rank = self.exchange.rank
        self.world_size = self.exchange.workers
        self.wishes = [False, False]
        self.layout: Layout | None = None
        self.gradients: list[Tensor | None] = []

    def setup_environment(self) -> None:
        super().setup_environment()
        rank_zero_only.rank = self.exchange.rank  # type: ignore[attr-defined]

    @property
    def is_global_zero(self) -> bool:
        return self.exchange.rank == 0

    def batch_to_device(self, batch: Any, device: torch.device | None = None, dataloader_idx: int = 0) -> Any:
        move = super().batch_to_device
        if self.shards.count == 1:
            return move(batch, device, dataloader_idx)
        return [shard._replace(batch=move(shard.batch, device, dataloader_idx)) for shard in batch]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        task = self.lightning_module
        micro = batch_idx % task.trainer.accumulate_grad_batches
        if self.shards.count == 1:
            seed_draws(task.device, draws_seed(self.seed, task.trainer.global_step, 0, micro))
            return super().training_step(batch, batch_idx)
        self.layout = self.layout or Layout(task)
        filled = {shard.number: shard for shard in batch}
        before = self.layout.buffers()

        def parts_of(number: int) -> Parts:
            return self._parts(filled.get(number), batch_idx, micro, before)

        parts = summed(parts_of, self.shards.own)
        self.layout.flags(parts).copy_(torch.tensor(self.wishes, dtype=self.layout.dtype))
        if self.exchange.workers > 1:
            parts = self.layout.split(self.exchange.sum(*map(flat, parts)))
        self.gradients, loss, self.wishes = self.layout.unpack(parts, before)
        return loss

    def _parts(self, shard: Shard | None, batch_idx: int, micro: int, before: "Buffers") -> Parts:
        """What one shard adds to the step."""
        task, layout = self.lightning_module, self.layout
        assert layout is not None
        if shard is None:
            return layout.empty()
        task.shard = shard.number
        seed_draws(task.device, draws_seed(self.seed, task.trainer.global_step, shard.number, micro))
        if shard.number != self.shards.own.start:  # an earlier shard has moved them
            layout.set_buffers(before)
        loss = cast(Tensor, super().training_step(shard.batch, batch_idx))
        weight = task.weight(shard.batch) / shard.total
        scaled = self.precision_plugin.pre_backward(loss * weight / task.trainer.accumulate_grad_batches, task)
        gradients = torch.autograd.grad(scaled, layout.parameters, allow_unused=True)
        return layout.pack(gradients, before, loss.detach(), float(weight), first=shard.number == 0)

    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Add the step's gradients, which are known already, to those of earlier micro-batches."""
        if self.shards.count == 1:
            return super().backward(closure_loss, optimizer, *args, **kwargs)
        assert self.layout is not None
        for parameter, gradient in zip(self.layout.parameters, self.gradients, strict=True):
            if parameter.grad is None or gradient is None:
                parameter.grad = parameter.grad if gradient is None else gradient
            else:
                parameter.grad.add_(gradient)
        return closure_loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if self.shards.count == 1:
            super().validation_step(batch, batch_idx)
            return
        for shard in batch:
            self.lightning_module.shard = shard.number
            super().validation_step(shard.batch, batch_idx)

    def reduce(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The sum of a tensor over all workers."""
        return self.exchange.sum(tensor.reshape(-1)).view_as(tensor)

    def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:
        votes = int(self.exchange.sum(torch.tensor([float(decision)], device=self.root_device)).item())
        return votes == self.exchange.workers if all else votes > 0

    def barrier(self, name: str | None = None) -> None:
        self.exchange.sum(torch.zeros(1, device=self.root_device))


class Buffers(NamedTuple):
    """Copies of a module's buffers: the floating-point ones, and the others."""

    floats: tuple[Tensor, ...]
    integers: tuple[Tensor, ...]


class Layout:
    """What a shard adds to a step, as a list of tensors: their sums over the shards are the step's.

    First what is divided by the shards' whole weight: the gradients and the changes of the floating-point buffers. The
    last tensor holds the loss, which is divided, too, then the changes of the integer buffers (shard 0's), a 1 for
    each parameter with a gradient, the weight, and two flags. Each gradient has the strides of its parameter: fused
    AdamW on CPUs is silently wrong where they differ.
    """

    def __init__(self, module: nn.Module):
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.floats = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        self.integers = [buffer for buffer in module.buffers() if not buffer.is_floating_point()]
        self.device, self.dtype = self.parameters[0].device, self.parameters[0].dtype
        self.counts = [buffer.numel() for buffer in self.integers]
        self.rest = 1 + sum(self.counts) + len(self.parameters) + 3  # numbers of the last tensor

    def empty(self) -> Parts:
        rest = torch.zeros(self.rest, dtype=self.dtype, device=self.device)
        return (*map(torch.zeros_like, self.parameters), *map(torch.zeros_like, self.floats), rest)

    def flags(self, parts: Parts) -> Tensor:
        return parts[-1][-2:]

    def buffers(self) -> Buffers:
        return Buffers(tuple(map(torch.clone, self.floats)), tuple(map(torch.clone, self.integers)))

    def set_buffers(self, values: Buffers) -> None:
        for buffers, new in ((self.floats, values.floats), (self.integers, values.integers)):
            if buffers:
                torch._foreach_copy_(buffers, new)

    def pack(
        self, gradients: Sequence[Tensor | None], before: Buffers, loss: Tensor, weight: float, *, first: bool
    ) -> Parts:
        """The parts of one shard, from its gradients, its loss, and the buffers as they are and were before it."""
        own = [
            torch.zeros_like(parameter) if gradient is None else with_strides_of(parameter, gradient)
            for parameter, gradient in zip(self.parameters, gradients, strict=True)
        ]
        if self.floats:
            own += torch._foreach_mul(torch._foreach_sub(self.floats, before.floats), weight)
        pairs = zip(self.integers, before.integers, strict=True)
        counted = [(now - then).to(self.dtype).mul_(first) for now, then in pairs]
        tail = [*(float(gradient is not None) for gradient in gradients), weight, 0.0, 0.0]
        rest = [(loss * weight).to(self.dtype), *counted, torch.tensor(tail, dtype=self.dtype, device=self.device)]
        return (*own, torch.cat([flat(tensor) for tensor in rest]))

    def split(self, vector: Tensor) -> Parts:
        """The parts in a vector that holds all of them, each as it lies in memory."""
        likes = [*self.parameters, *self.floats]
        *parts, rest = vector.split([*(like.numel() for like in likes), self.rest])
        pairs = zip(parts, likes, strict=True)
        return (*(part.as_strided(like.shape, like.stride()) for part, like in pairs), rest)

    def unpack(self, parts: Parts, before: Buffers) -> tuple[list[Tensor | None], Tensor, list[bool]]:
        """The mean gradients, the mean loss and the flags of a step; its buffers are set to what they have become."""
        *divided, rest = parts
        loss, *counted, used, last = rest.split([1, *self.counts, len(self.parameters), 3])
        weight, due, stop = last.tolist()
        if weight not in (0.0, 1.0):
            torch._foreach_div_([*divided, loss], weight)
        gradients, changes = divided[: len(self.parameters)], divided[len(self.parameters) :]
        integers = tuple(
            then + change.view(then.shape).to(then.dtype) for then, change in zip(before.integers, counted, strict=True)
        )
        self.set_buffers(Buffers(torch._foreach_add(before.floats, changes) if changes else (), integers))
        own = [g if has else None for g, has in zip(gradients, used.tolist(), strict=True)]
        return own, loss[0], [bool(due), bool(stop)]


def summed(parts_of: Callable[[int], Parts], shards: range) -> Parts:
    """The sum of what each of 2^k shards adds: neighbours first. Of two halves, at most one waits in memory.

    A function that calls itself from within a method would keep each step's batch until Python searches for cycles.
    """
    if len(shards) == 1:
        return parts_of(shards.start)
    middle = len(shards) // 2
    return torch._foreach_add(summed(parts_of, shards[:middle]), summed(parts_of, shards[middle:]))


def flat(tensor: Tensor) -> Tensor:
    """All numbers of a tensor in one dimension, as they lie in memory."""
    return tensor.as_strided((tensor.numel(),), (1,))


def with_strides_of(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, laid out in memory as its parameter is."""
    if gradient.stride() == parameter.stride() and gradient.dtype == parameter.dtype:
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def draws_seed(seed: int, step: int, shard: int, micro: int) -> int:
    """The seed of what a shard draws (dropout, noise): a pure function, so that resuming needs no generator's state."""
    return ((seed * 1_000_003 + step) * 10_007 + shard + micro * MICRO) % 2**64


def seed_draws(device: torch.device, seed: int) -> None:
    torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 2 ms
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
