"""Records the trail of a training: digest, loss, norm and projection after steps 1, 10, 100, … and after each epoch."""

import hashlib
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from pipeline.runs import trail
from pipeline.runs.trail import Entry


class TrailRecorder(Callback):
    """Keeps the trail in memory, and in every checkpoint: a resumed run continues the trail of its checkpoint.

    Every worker has the same weights and records the same entries. Step 0, the initial weights, is the first entry.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.steps = 0  # made before the batch in hand

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.steps = trainer.global_step
        if not self.entries:
            self._record(self.steps, None, None, module)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: object, batch_idx: int
    ) -> None:
        step, before, self.steps = trainer.global_step, self.steps, trainer.global_step
        if trainer.is_last_batch or trail.due(step, before):
            epoch = trainer.current_epoch + 1 if trainer.is_last_batch else None
            self._record(step, epoch, outputs["loss"].item(), module)

    def _record(self, step: int, epoch: int | None, loss: float | None, module: nn.Module) -> None:
        # numpy has no bfloat16
        arrays = (weight.detach().cpu() for weight in module.parameters())
        norm, projection = trail.projected(each.float().numpy() for each in arrays)
        self.entries.append(Entry(step, epoch, weights_digest(module), loss, norm, projection))

    def state_dict(self) -> dict[str, Any]:
        return {"entries": [asdict(entry) for entry in self.entries]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.entries = [Entry(**entry) for entry in state_dict["entries"]]


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over name, type, shape and bytes of each parameter and buffer, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        content = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {content.dtype} {list(content.shape)}\n".encode())
        digest.update(content.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
