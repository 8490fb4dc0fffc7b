"""A run that was cut off anywhere goes on as if it had never stopped: the same batches, sums and weights."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import load_config, resolve
from pipeline.data.batches import Batches
from pipeline.errors import CheckpointError, PipelineError
from pipeline.runs import checkpoints, interruption
from pipeline.runs import events as run_events
from pipeline.tasks.classification import Classification
from pipeline.training.callbacks import Progress
from pipeline.training.checkpointing import Checkpoints
from pipeline.training.fit import fit
from pipeline.types import FitResult
from tests.conftest import TINY, TINY_TEXT

EVERY = 2  # steps between checkpoints
TEXT = ["experiment=imdb_lstm", *TINY_TEXT, "model.net.embedding=8", "model.net.hidden=8", "data.embeddings=null"]
KINDS = {
    # With augmentation, dropout, averaged weights and a schedule.
    "cnn": [*TINY[:2], "trainer.max_epochs=3", "trainer.shards=1"],
    "accumulating": [
        *TINY[:2],
        "data.batch_size=8",
        "trainer.accumulate_grad_batches=2",
        "trainer.max_epochs=3",
        "trainer.shards=1",
    ],
    "lstm": [*TEXT, "trainer.max_epochs=2"],
    # In mixed precision, with words drawn at every step.
    "language": [
        *("experiment=imdb_lm", *TINY_TEXT[1:], "model.net.embedding=8", "model.net.hidden=8"),
        *("model.net.common=20", "model.net.sampled=20", "trainer.max_epochs=2"),
    ],
    "gan": ["experiment=mnist_gan", *TINY[:2], "trainer.max_epochs=3", "model.r1_every=2"],
    "seq2seq": [
        *("experiment=piglatin_seq2seq", "data.words=300", "data.val_size=20", "data.test_size=20"),
        *("data.batch_size=32", "model.net.hidden=8", "trainer.max_epochs=2"),
    ],
}


class Killed(BaseException):
    """What `kill -9` leaves behind, within one process: nobody gets to keep anything."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """The step and the samples of each batch that training takes."""
    seen: list[tuple[int, list[int]]] = []
    order = Batches.take

    def take(self: Batches, batch: torch.Tensor, part: slice) -> Any:
        seen.append((self.taken, batch.tolist()))
        return order(self, batch, part)

    # The classes that change what is taken call this one, or take nothing from it but the order.
    monkeypatch.setattr(Batches, "take", take)
    return seen


def run(root: Path, name: str, *overrides: str) -> FitResult:
    config = resolve(load_config(f"trainer.checkpoint_every_steps={EVERY}", *overrides))
    config["cluster"]["gpus_per_worker"] = 0
    (root / name).mkdir(exist_ok=True)
    return fit(config, data_dir=root / "data", run_dir=root / name)


def cut(step: int, error: BaseException) -> pytest.MonkeyPatch:
    """Until undone, raise `error` before the batch that would follow `step` optimiser steps."""
    patch = pytest.MonkeyPatch()
    start = Progress.on_train_batch_start

    def stop(self: Progress, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            raise error
        start(self, trainer, *rest)

    patch.setattr(Progress, "on_train_batch_start", stop)
    return patch


def weights(root: Path, name: str) -> str:
    return checkpoints.weights_digest(checkpoints.verify(root / name / "model"))


def kept(root: Path, name: str) -> int:
    """The step of the state that a run would go on from."""
    newest = checkpoints.newest(root / name / "checkpoints")
    return int(checkpoints.verify(newest)["step"]) if newest else 0


def epochs(root: Path, name: str) -> list[tuple[int, int, dict[str, float]]]:
    events = [event for event in run_events.read(root / name)[0] if "metrics" in event]
    return [(event["step"], event["epoch"], event["metrics"]) for event in events]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_random_steps_ends_with_the_same_weights_and_metrics(
    kind: str, tiny_mnist: Path, tiny_imdb: Path
) -> None:
    whole = run(tiny_mnist, "whole", *KINDS[kind])
    kills = sorted(random.Random(kind).sample(range(1, whole.steps), 3))
    for step in kills:
        patch = cut(step, Killed())
        with pytest.raises(Killed):
            run(tiny_mnist, "cut", *KINDS[kind])
        patch.undo()
        assert 0 <= step - kept(tiny_mnist, "cut") <= EVERY
    resumed = run(tiny_mnist, "cut", *KINDS[kind])
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")
    assert (resumed.steps, resumed.metrics) == (whole.steps, whole.metrics)
    assert {epoch: (step, metrics) for step, epoch, metrics in epochs(tiny_mnist, "cut")} == {
        epoch: (step, metrics) for step, epoch, metrics in epochs(tiny_mnist, "whole")
    }


def test_no_batch_is_repeated_or_skipped(tiny_mnist: Path, batches: list[tuple[int, list[int]]]) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    whole = batches.copy()
    assert [place for place, _ in whole] == [0, 1, 2] * 3
    for step in (2, 4, 5, 7):
        start = kept(tiny_mnist, "cut")
        batches.clear()
        patch = cut(step, Killed())
        with pytest.raises(Killed):
            run(tiny_mnist, "cut", *KINDS["cnn"])
        patch.undo()
        assert batches == whole[start : step + 1]  # the last one was fetched, and no step made of it
    start = kept(tiny_mnist, "cut")
    batches.clear()
    run(tiny_mnist, "cut", *KINDS["cnn"])
    assert batches == whole[start:]
    assert start > 3


def test_a_request_to_stop_costs_no_step(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    start = Progress.on_train_batch_start
    asked = []

    def ask(self: Progress, trainer: Any, *rest: Any) -> None:
        if trainer.global_step in (0, 4, 8) and trainer.global_step not in asked:  # mid-epoch, and its last step
            asked.append(trainer.global_step)
            interruption.request(tiny_mnist / "cut")
        start(self, trainer, *rest)

    monkeypatch.setattr(Progress, "on_train_batch_start", ask)
    stopped = []
    for _ in range(4):
        result = run(tiny_mnist, "cut", *KINDS["cnn"], "trainer.keep_checkpoints=9")
        stopped.append((result.steps, result.stopped))
        interruption.withdraw(tiny_mnist / "cut")
    assert stopped == [(1, True), (5, True), (9, True), (9, False)]
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")


def test_a_run_killed_between_its_last_state_and_its_model_still_stores_the_average(
    tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_train_end", killed)
        with pytest.raises(Killed):
            run(tiny_mnist, "cut", *KINDS["cnn"], "trainer.checkpoint_every_s=0")
    result = run(tiny_mnist, "cut", *KINDS["cnn"])
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")
    assert result.metrics.keys() == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}


def killed(*_: Any) -> None:
    raise Killed


def test_an_exception_between_two_steps_costs_no_step(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    take = Batches.take
    with monkeypatch.context() as patch:

        def broken(self: Batches, batch: torch.Tensor, part: slice) -> Any:
            if self.epoch() == 1 and self.taken == 2:
                raise OSError("no such disk")
            return take(self, batch, part)

        patch.setattr(Batches, "take", broken)
        with pytest.raises(OSError, match="no such disk"):
            run(tiny_mnist, "cut", *KINDS["cnn"], "trainer.checkpoint_every_steps=1000")
    assert kept(tiny_mnist, "cut") == 5
    run(tiny_mnist, "cut", *KINDS["cnn"])
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")


@pytest.mark.parametrize("where", [(Progress, "on_train_batch_start"), (Classification, "training_step")])
def test_an_exception_with_a_batch_in_hand_keeps_no_state_of_it(
    where: tuple[type, str], tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rarely = [*KINDS["cnn"], "trainer.checkpoint_every_steps=1000"]
    run(tiny_mnist, "whole", *rarely)
    calls = []
    real = getattr(*where)

    def broken(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            raise ValueError("half a step")
        return real(*arguments)

    monkeypatch.setattr(*where, broken)
    with pytest.raises(ValueError, match="half a step"):
        run(tiny_mnist, "cut", *rarely)
    assert kept(tiny_mnist, "cut") in (0, 3)  # at most an epoch's end
    run(tiny_mnist, "cut", *rarely)
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")


@pytest.mark.parametrize("torn", ["state.ckpt", "manifest.json"])
def test_a_run_with_a_torn_state_goes_on_from_the_one_before(torn: str, tiny_mnist: Path) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    patch = cut(5, Killed())
    with pytest.raises(Killed):
        run(tiny_mnist, "cut", *KINDS["cnn"])
    patch.undo()
    newest = checkpoints.newest(tiny_mnist / "cut/checkpoints")
    assert newest
    os.truncate(newest / torn, (newest / torn).stat().st_size // 2)
    assert checkpoints.newest(tiny_mnist / "cut/checkpoints") not in (None, newest)
    run(tiny_mnist, "cut", *KINDS["cnn"])
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")


class Canary:
    """A pickle that leaves a file behind when it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("canary"),)


def test_a_poisoned_state_is_refused_unread(tiny_mnist: Path) -> None:
    def poison(aside: Path) -> None:
        torch.save({"state_dict": Canary()}, aside / checkpoints.STATE)

    (tiny_mnist / "cut").mkdir()
    checkpoints.publish(tiny_mnist / "cut/checkpoints/step-000000003", poison, step=3)
    with pytest.raises(CheckpointError, match=r"state\.ckpt: holds more than tensors"):
        run(tiny_mnist, "cut", *KINDS["cnn"])
    assert not Path("canary").exists()
    torch.load(tiny_mnist / "cut/checkpoints/step-000000003/state.ckpt", weights_only=False)
    assert Path("canary").exists()  # it would have sung


def test_weights_that_are_no_numbers_are_never_kept(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = Progress.on_train_batch_end

    def spoil(self: Progress, trainer: Any, module: Any, *rest: Any) -> None:
        end(self, trainer, module, *rest)
        next(module.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(Progress, "on_train_batch_end", spoil)
    with pytest.raises(PipelineError, match="A weight is no longer a number after step 1"):
        run(tiny_mnist, "cut", *KINDS["cnn"], "trainer.checkpoint_every_steps=1")
    assert kept(tiny_mnist, "cut") == 0


def test_an_odd_folder_and_a_clock_that_jumps_change_nothing(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny_mnist, "whole", *KINDS["cnn"])
    odd = "a run, 100 % größer: =$x"
    patch = cut(4, Killed())
    with pytest.raises(Killed):
        run(tiny_mnist, odd, *KINDS["cnn"])
    patch.undo()
    monkeypatch.setattr("time.time", lambda: 1e9)  # decades ago
    run(tiny_mnist, odd, *KINDS["cnn"])
    assert weights(tiny_mnist, odd) == weights(tiny_mnist, "whole")
