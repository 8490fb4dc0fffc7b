"""Progress: losses are checked on every step, and read from a GPU rarely."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from pipeline.errors import PipelineError
from pipeline.runs.events import EventLog
from pipeline.training import callbacks


class OnGpu:
    """A loss that stays on its device."""

    def __init__(self, value: float):
        self.value, self.device = value, SimpleNamespace(type="cuda")

    def detach(self) -> "OnGpu":
        return self


def test_losses_on_a_gpu_are_read_together_and_the_first_that_is_not_finite_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[int] = []

    def values(losses: list[OnGpu]) -> list[float]:
        reads.append(len(losses))
        return [loss.value for loss in losses]

    monkeypatch.setattr(callbacks, "_values", values)
    progress = callbacks.Progress(cast(EventLog, None))
    progress.logged = math.inf  # no progress event is due
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    trainer: Any = SimpleNamespace(is_global_zero=True, is_last_batch=False, current_epoch=0, optimizers=[optimizer])
    module: Any = torch.nn.Linear(1, 1)
    module.total_steps = 1000
    for step in range(1, 50):
        trainer.global_step = step
        loss = OnGpu(math.nan if step == 7 else 1.0)
        progress.on_train_batch_end(trainer, module, {"loss": loss}, None, step)
    assert not reads
    trainer.global_step = 50
    with pytest.raises(PipelineError, match="The loss is nan at step 7 "):
        progress.on_train_batch_end(trainer, module, {"loss": OnGpu(1.0)}, None, 50)
    assert reads == [50]
