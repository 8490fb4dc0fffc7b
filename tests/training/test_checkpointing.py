"""When a state is stored at an epoch's end: as soon as one of several workers wants it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from pipeline.runs import checkpoints
from pipeline.runs.events import EventLog
from pipeline.training.checkpointing import Checkpoints


class Stored(Checkpoints):
    """Notes whether a state was stored."""

    stored = False

    def _take(self, trainer: Trainer, module: LightningModule, **more: Any) -> None:
        self.stored = True


class Votes:
    """The strategy of two workers in threads, which decide together; one that waits for the other for 5 s fails."""

    def __init__(self) -> None:
        self.meet, self.votes = threading.Barrier(2), [False, False]

    def of(self, rank: int) -> Any:
        def reduce_boolean_decision(decision: bool, all: bool = True) -> bool:
            self.votes[rank] = decision
            self.meet.wait(5)
            decided = any(self.votes)
            self.meet.wait(5)
            return decided

        return SimpleNamespace(
            reduce_boolean_decision=reduce_boolean_decision,
            reduce=lambda tensor, reduce_op: tensor,
            root_device=torch.device("cpu"),
        )


@pytest.mark.parametrize(("best", "stored"), [((90.0, 90.0), False), ((90.0, -1.0), True), ((-1.0, 90.0), True)])
def test_workers_that_know_different_best_scores_store_an_epoch_together(
    best: tuple[float, float], stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's own folder on another node may lack the earlier states."""
    monkeypatch.setattr(checkpoints, "best_score", lambda folder: best[int(folder.name)])
    votes = Votes()

    def end_epoch(rank: int) -> bool:
        folder = tmp_path / str(rank)
        folder.mkdir()
        callback = Stored(folder, EventLog(folder), lambda: False, every_s=1e9, every_steps=None, keep=2, facts={})
        trainer: Any = SimpleNamespace(
            strategy=votes.of(rank),
            global_step=3,
            current_epoch=0,
            is_global_zero=rank == 0,
            callback_metrics={"val/accuracy": torch.tensor(0.8)},
        )
        module: Any = None
        callback.on_train_start(trainer, module)
        callback.on_train_epoch_end(trainer, module)
        return callback.stored

    with ThreadPoolExecutor(2) as workers:
        assert list(workers.map(end_epoch, range(2))) == [stored, stored]
