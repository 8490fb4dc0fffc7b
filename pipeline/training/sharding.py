"""Logical shards: a step's batch is cut into the same S parts however many workers compute them.

Each shard has a forward and a backward pass of its own, its own random draws and its own batch-norm statistics, and
starts from the step's buffers. What the shards find is added in one fixed binary tree (`exchange`), so W workers with
S / W shards each end with the same bits for every W. Source of the idea: EasyScale (Li et al. 2022, arXiv:2208.14228).
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from pipeline.data.batches import ONE_SHARD, Shard, Shards
from pipeline.tasks.task import Task
from pipeline.training.exchange import Alone, Exchange

CPU = torch.device("cpu")
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

        def vector(low: int, high: int) -> Tensor:
            """The sum over the shards from `low` to below `high`; of two halves, at most one vector waits."""
            if high - low > 1:
                middle = (low + high) // 2
                return vector(low, middle).add_(vector(middle, high))
            return self._vector(filled.get(low), batch_idx, micro, before)

        summed = vector(self.shards.own.start, self.shards.own.stop)
        self.layout.flags(summed).copy_(torch.tensor(self.wishes, dtype=summed.dtype))
        self.gradients, loss, self.wishes = self.layout.unpack(self.exchange.sum(summed), before)
        return loss

    def _vector(self, shard: Shard | None, batch_idx: int, micro: int, before: tuple[Tensor, Tensor]) -> Tensor:
        """The vector that one shard adds to the step."""
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
        return layout.pack(gradients, before, loss.detach(), weight, first=shard.number == 0)

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


class Layout:
    """Where the results of a shard lie in one vector, so that one exchange adds all of them.

    First what is divided by the shards' whole weight: gradients, changes of floating-point buffers, the loss. Then what
    is not: the changes of integer buffers (shard 0's), a 1 for each parameter with a gradient, the weight, two flags.
    Each gradient lies as its parameter lies in memory: fused AdamW on CPUs is silently wrong where strides differ.
    """

    def __init__(self, module: nn.Module):
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.floats = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        self.integers = [buffer for buffer in module.buffers() if not buffer.is_floating_point()]
        self.device, self.dtype = self.parameters[0].device, self.parameters[0].dtype
        sizes = [sum(part.numel() for part in parts) for parts in (self.parameters, self.floats, self.integers)]
        self.sizes = [sizes[0], sizes[1], 1, sizes[2], len(self.parameters), 3]  # in the order of the docstring
        self.divided = sum(self.sizes[:3])

    def empty(self) -> Tensor:
        return torch.zeros(sum(self.sizes), dtype=self.dtype, device=self.device)

    def flags(self, vector: Tensor) -> Tensor:
        return vector[-2:]

    def buffers(self) -> tuple[Tensor, Tensor]:
        """Copies of the floating-point buffers and of the others, each in one dimension."""
        return flattened(self.floats, self.dtype, self.device), flattened(self.integers, torch.int64, self.device)

    def set_buffers(self, values: tuple[Tensor, Tensor]) -> None:
        for buffers, flat in zip((self.floats, self.integers), values, strict=True):
            if buffers:
                parts = flat.split([buffer.numel() for buffer in buffers])
                torch._foreach_copy_(buffers, [part.view(b.shape) for part, b in zip(parts, buffers, strict=True)])

    def pack(
        self,
        gradients: Sequence[Tensor | None],
        before: tuple[Tensor, Tensor],
        loss: Tensor,
        weight: float | Tensor,
        *,
        first: bool,
    ) -> Tensor:
        """The vector of one shard, from its gradients, its loss, and the buffers as they are and were before it."""
        pairs = zip(gradients, self.parameters, strict=True)
        parts = [p.new_zeros(p.numel()) if g is None else in_memory_order(g, p) for g, p in pairs]
        floats, integers = self.buffers()
        counted = (integers - before[1]).to(self.dtype) * first
        tail = [*(float(gradient is not None) for gradient in gradients), float(weight), 0.0, 0.0]
        rest = torch.tensor(tail, dtype=self.dtype, device=self.device)
        return torch.cat([*parts, (floats - before[0]) * weight, (loss * weight).reshape(1), counted, rest])

    def unpack(self, total: Tensor, before: tuple[Tensor, Tensor]) -> tuple[list[Tensor | None], Tensor, list[bool]]:
        """The mean gradients, the mean loss and the flags of a step; its buffers are set to what they have become."""
        *used, weight, due, stop = total[-sum(self.sizes[4:]) :].tolist()
        if weight not in (0.0, 1.0):
            total[: self.divided] /= weight
        flat, floats, loss, integers, *_ = total.split(self.sizes)
        self.set_buffers((before[0] + floats, before[1] + integers.to(before[1].dtype)))
        parts = flat.split([parameter.numel() for parameter in self.parameters])
        pairs = zip(self.parameters, parts, used, strict=True)
        gradients = [part.as_strided(p.shape, p.stride()) if has else None for p, part, has in pairs]
        return gradients, loss[0], [bool(due), bool(stop)]


def flattened(tensors: Sequence[Tensor], dtype: torch.dtype, device: torch.device) -> Tensor:
    """All numbers of some tensors in one dimension."""
    return torch.cat([torch.empty(0, dtype=dtype, device=device), *(tensor.reshape(-1) for tensor in tensors)])


def in_memory_order(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The gradient's numbers in one dimension, in the order in which its parameter's lie in memory."""
    if gradient.stride() != parameter.stride() or gradient.dtype != parameter.dtype:
        gradient = torch.empty_like(parameter).copy_(gradient)
    return gradient.as_strided((gradient.numel(),), (1,))


def draws_seed(seed: int, step: int, shard: int, micro: int) -> int:
    """The seed of what a shard draws (dropout, noise): a pure function, so that resuming needs no generator's state."""
    return ((seed * 1_000_003 + step) * 10_007 + shard + micro * MICRO) % 2**64


def seed_draws(device: torch.device, seed: int) -> None:
    torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 2 ms
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
