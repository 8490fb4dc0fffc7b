"""Training itself: it learns, repeats itself bit for bit, goes on where it stopped, and stops where it must."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline import kinds
from pipeline.config import load_config, resolve
from pipeline.errors import PipelineError
from pipeline.runs import checkpoints, events
from pipeline.tasks.classification import Classification
from pipeline.training.callbacks import average
from pipeline.training.fit import fit
from pipeline.types import Event
from tests.conftest import TINY


def run(project: Path, name: str, *overrides: str) -> tuple[Path, Any]:
    config = resolve(load_config(*TINY, *overrides))
    config["cluster"]["gpus_per_worker"] = 0
    run_dir = project / name
    run_dir.mkdir(exist_ok=True)
    return run_dir, fit(config, data_dir=project / "data", run_dir=run_dir)


def weights(run_dir: Path) -> str:
    files: dict[str, str] = checkpoints.verify(run_dir / "model")["files"]
    return files[checkpoints.MODEL]


def test_a_seed_gives_the_same_weights_and_another_seed_others(tiny_mnist: Path) -> None:
    one, again, other = (run(tiny_mnist, name, f"seed={seed}")[0] for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert weights(one) == weights(again) != weights(other)


def test_the_last_checkpoints_and_the_best_are_kept_and_each_verifies(tiny_mnist: Path) -> None:
    often = ["trainer.checkpoint_every_steps=2", "trainer.max_epochs=6", "trainer.keep_checkpoints=2"]
    run_dir, _ = run(tiny_mnist, "a", *often)
    scores = {event["epoch"]: event["metrics"]["val/accuracy"] for event in epochs(run_dir)}
    best = max(scores, key=scores.__getitem__)  # the first, if several are as good
    folders = sorted((run_dir / "checkpoints").iterdir())
    names = {f"step-{step:09d}" for step in (3 * (best + 1), 16, 18)}
    assert {folder.name for folder in folders} == names
    for folder in folders:
        checkpoints.verify(folder)
        torch.load(folder / checkpoints.STATE, weights_only=True)


def epochs(run_dir: Path) -> list[Event]:
    """What was logged at the end of each epoch."""
    return [event for event in events.read(run_dir)[0] if "metrics" in event]


def test_a_net_learns_the_stripes(tiny_mnist: Path) -> None:
    _, result = run(tiny_mnist, "a", "trainer.max_epochs=30")
    assert result.metrics["val/accuracy"] == 1.0
    assert result.steps == 30 * 3


def test_each_epoch_tells_the_cpu_seconds_so_far(tiny_mnist: Path) -> None:
    run_dir, _ = run(tiny_mnist, "a", "trainer.max_epochs=4")
    told = [event["cpu_s"] for event in epochs(run_dir)]
    assert len(told) == 4
    assert told[0] > 0
    assert told == sorted(told)


def test_the_last_progress_event_is_of_the_last_step(tiny_mnist: Path) -> None:
    for name, overrides in (("a", []), ("b", ["trainer.accumulate_grad_batches=2"])):
        run_dir, result = run(tiny_mnist, name, *overrides)
        last = [event for event in events.read(run_dir)[0] if "total" in event][-1]
        assert last["step"] == last["total"] == result.steps


def test_accumulated_batches_take_fewer_steps(tiny_mnist: Path) -> None:
    _, result = run(tiny_mnist, "a", "trainer.accumulate_grad_batches=2")
    assert result.steps == 2 * 2  # of three batches, two and then the last one


def test_a_loss_that_is_no_number_stops_with_step_batch_rate_and_gradient_norm(tiny_mnist: Path) -> None:
    expected = r"The loss is (nan|inf) at step \d+ \(epoch \d+, batch \d, learning rate \d+, gradient norm \S+\)"
    with pytest.raises(PipelineError, match=expected):
        run(
            tiny_mnist,
            "a",
            "model.optimizer.lr=1000",
            "trainer.max_epochs=200",
            "trainer.ema_decay=null",
            "+model.net.batch_norm=false",
        )


def test_the_stored_model_answers_as_the_trained_one_was_validated(tiny_mnist: Path) -> None:
    from pipeline.config import build_data

    run_dir, result = run(tiny_mnist, "a")
    predictor: Any = kinds.load(run_dir / "model")
    data = build_data(resolve(load_config(*TINY)), tiny_mnist / "data")
    predictions = predictor.predict_split(data, "val")
    accuracy = (predictions.y_score.argmax(1) == predictions.y_true).mean()
    assert accuracy == pytest.approx(result.metrics["val/accuracy"])


def test_the_average_moves_as_an_exponential_mean_with_a_warm_start() -> None:
    averaged, current = [torch.tensor([1.0])], [torch.tensor([0.0])]
    average(0.9, averaged, current, torch.tensor(1))
    assert averaged[0].item() == pytest.approx(2 / 11)  # young: (1 + 1) / (10 + 1)
    average(0.9, averaged, current, torch.tensor(1000))
    assert averaged[0].item() == pytest.approx(2 / 11 * 0.9)


def test_every_parameter_of_the_task_is_in_the_stored_net() -> None:
    from pipeline.training.fit import build_task

    task = build_task(resolve(load_config()))
    net = task.net
    assert isinstance(net, nn.Module)
    assert len(list(task.parameters())) == len(list(net.parameters()))


def test_too_little_memory_is_said_with_a_smaller_batch_that_learns_the_same(
    tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "training_step", lambda *_: torch.empty(10**15))  # four petabytes
    expected = r"Out of memory at data\.batch_size=16: .* Try data\.batch_size=8 trainer\.accumulate_grad_batches=2"
    with pytest.raises(PipelineError, match=expected):
        run(tiny_mnist, "a")
