"""Logical shards: the same weights, sums and metrics on any number of workers, for every kind of net."""

import gc
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.config import build_data, load_config, resolve
from pipeline.launch.local_group import Failure, Job, start, watch
from pipeline.runs import checkpoints, trail
from pipeline.training.fit import build_task, fit
from pipeline.training.sharding import MICRO, Layout, ShardedStrategy, draws_seed, flat, with_strides_of
from pipeline.types import FitResult
from tests.conftest import TINY, TINY_TEXT
from tests.training.test_resume import Killed, cut, epochs, kept, weights

FOUR = ["trainer.shards=4", "trainer.checkpoint_every_steps=2"]
WORDS = [*TINY_TEXT[1:], "model.net.embedding=8", "model.net.hidden=8", "trainer.max_epochs=2"]
TEXT = [*WORDS, "data.embeddings=null"]
# Augmentation, batch norm, dropout, averaged weights and a schedule come with the recipe of the CNN.
CNN = [*TINY[:2], "trainer.max_epochs=2"]
LANGUAGE = ["experiment=imdb_lm", *WORDS, "model.net.common=20", "model.net.sampled=20"]
KINDS = {
    "cnn": CNN,
    "clipped": [*CNN, "trainer.gradient_clip_val=0.1"],
    "accumulating": [*CNN, "trainer.accumulate_grad_batches=2"],  # of three batches: the last step has one
    "small": [*CNN, "data.val_size=59"],  # five images: two shards of three and two, two empty ones
    "single": [*CNN, "data.val_size=63", "+model.net.batch_norm=false"],
    "mlp": ["experiment=digits_mlp", "data.batch_size=200", "trainer.max_epochs=2", "model.net.dropout=0.3"],
    "lstm": ["experiment=imdb_lstm", *TEXT],
    "gru": ["experiment=imdb_gru", *TEXT],
    "rnn": ["experiment=imdb_rnn", *TEXT],
    "language": LANGUAGE,  # in mixed precision, with words drawn at every step
    "gan": ["experiment=mnist_gan", *TINY[:2], "trainer.max_epochs=2", "model.r1_every=2"],
    "lecture gan": ["experiment=lecture_gan", "data.batch_size=400", "trainer.max_epochs=2"],
    "seq2seq": [
        *("experiment=piglatin_seq2seq", "data.words=300", "data.val_size=20", "data.test_size=20"),
        *("data.batch_size=32", "model.net.hidden=8", "trainer.max_epochs=2"),
    ],
}


def run(root: Path, name: str, workers: int, *overrides: str) -> FitResult:
    """Train on so many workers; the folder `init_from` of the project, if there is one, is what it starts from."""
    config = resolve(load_config(*overrides))
    config["cluster"].update(gpus_per_worker=0, workers=workers)
    (root / name).mkdir(exist_ok=True)
    if (root / "init_from").exists():
        checkpoints.copy(root / "init_from", root / name / checkpoints.INIT_FROM)
    if workers == 1:
        return fit(config, data_dir=root / "data", run_dir=root / name)
    driver, _held = Pipe()
    with start(Job(config, root / "data", root / name)) as group:
        outcome = watch(group, driver)
    if isinstance(outcome, Failure):
        raise outcome.error or AssertionError(outcome)
    return outcome


def same(root: Path, workers: list[int], *overrides: str) -> None:
    """Assert that any number of workers ends with the weights, steps and metrics of one."""
    one = run(root, "one", 1, *FOUR, *overrides)
    for count in workers:
        several = run(root, f"{count}", count, *FOUR, *overrides)
        assert several.workers == count
        assert weights(root, f"{count}") == weights(root, "one")
        assert (several.steps, several.metrics) == (one.steps, one.metrics)
        assert epochs(root, f"{count}") == epochs(root, "one")
        assert trail.read(several.model_dir) == trail.read(one.model_dir)


@pytest.mark.parametrize("kind", ["accumulating", "language"])
def test_two_workers_end_with_the_weights_and_metrics_of_one(kind: str, tiny_mnist: Path, tiny_imdb: Path) -> None:
    same(tiny_mnist, [2], *KINDS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_and_four_workers_end_with_the_weights_of_one_for_every_kind_of_net(
    kind: str, tiny_mnist: Path, tiny_imdb: Path
) -> None:
    same(tiny_mnist, [2, 4], *KINDS[kind])


@pytest.mark.slow
def test_two_and_four_workers_smooth_predictions_as_one_does(tiny_imdb: Path) -> None:
    run(tiny_imdb, "lm", 1, *LANGUAGE)
    checkpoints.copy(tiny_imdb / "lm/model", tiny_imdb / "init_from")
    same(tiny_imdb, [2, 4], "experiment=imdb_lstm_vat", *WORDS)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [0, 2])
def test_two_and_four_workers_tune_a_partly_frozen_net_as_one_does(blocks: int, project: Path, shapes: Path) -> None:
    own = ["model=pretrained", "data=image_folder", "data.path=shapes", "data.in_shape=[3,64,64]"]
    rest = ["data.batch_size=8", "data.classes=3", "trainer.max_epochs=2", f"model.net.trained_blocks={blocks}"]
    same(project, [2, 4], *own, *rest, "trainer.ema_decay=0.9")


def test_a_run_that_is_killed_and_resumed_on_other_numbers_of_workers_ends_with_the_same_weights(
    tiny_mnist: Path,
) -> None:
    whole = run(tiny_mnist, "whole", 1, *FOUR, *CNN)
    for step, workers in ((2, 2), (4, 1), (5, 2)):
        patch = cut(step, Killed())
        with pytest.raises((Killed, Exception)):
            run(tiny_mnist, "cut", workers, *FOUR, *CNN)
        patch.undo()
        assert 0 <= step - kept(tiny_mnist, "cut") <= 3
    resumed = run(tiny_mnist, "cut", 4, *FOUR, *CNN)
    assert weights(tiny_mnist, "cut") == weights(tiny_mnist, "whole")
    assert (resumed.steps, resumed.metrics) == (whole.steps, whole.metrics)
    assert trail.read(resumed.model_dir) == trail.read(whole.model_dir)


def test_one_shard_is_plain_training(tiny_mnist: Path) -> None:
    """Against a loop written out here: forward, backward and optimiser step, dropout seeded by seed and step."""
    plain = [*TINY, "trainer.ema_decay=null", "trainer.max_epochs=1", "seed=3"]
    run(tiny_mnist, "one", 1, *plain)
    config = resolve(load_config(*plain))
    task, data = build_task(config), build_data(config, tiny_mnist / "data")
    data.setup()
    batches = data.train_dataloader()
    task.total_steps = len(batches)
    made: Any = task.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    for step, batch in enumerate(batches):
        images, labels = data.on_after_batch_transfer(batch, 0)
        torch.manual_seed((3 * 1_000_003 + step) * 10_007)
        optimizer.zero_grad()
        F.cross_entropy(task.net(images), labels, label_smoothing=0.05).backward()
        optimizer.step()
        schedule.step()
    found = checkpoints.weights(tiny_mnist / "one/model")
    assert found.keys() == task.net.state_dict().keys()
    assert all(torch.equal(found[name], weight) for name, weight in task.net.state_dict().items())


def test_shards_without_batch_norm_and_dropout_learn_what_the_whole_batch_teaches(tiny_mnist: Path) -> None:
    plain = [
        *TINY,
        "+model.net.batch_norm=false",
        "model.net.dropout=0",
        "data.val_size=17",
    ]  # 47: batches of unequal parts
    plain += ["data.batch_size=15"]
    one, four = run(tiny_mnist, "one", 1, *plain), run(tiny_mnist, "four", 1, *FOUR, *plain)
    assert one.steps == four.steps == 6
    for name, weight in checkpoints.weights(tiny_mnist / "one/model").items():
        torch.testing.assert_close(checkpoints.weights(tiny_mnist / "four/model")[name], weight, atol=1e-4, rtol=1e-3)
    assert four.metrics["train/loss"] == pytest.approx(one.metrics["train/loss"], rel=1e-4)
    assert four.metrics["val/loss"] == pytest.approx(one.metrics["val/loss"], rel=1e-4)


def test_draws_of_the_first_micro_batch_are_those_of_plain_steps_and_others_differ() -> None:
    assert draws_seed(7, 11, 0, 0) == (7 * 1_000_003 + 11) * 10_007
    assert draws_seed(7, 11, 3, 0) == (7 * 1_000_003 + 11) * 10_007 + 3
    # Torch's generator of CPUs takes the lower 32 bits of a seed.
    seeds = {
        draws_seed(7, step, shard, micro) % 2**32 for step in range(300) for shard in range(8) for micro in range(8)
    }
    assert len(seeds) == 300 * 8 * 8
    torch.default_generator.manual_seed(draws_seed(2**32 - 1, 10**6, 0, 5))
    assert MICRO % 2 == 1


class Net(nn.Module):
    """A channels_last convolution, a buffer that is counted and one that is averaged, and a parameter without use."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.unused = nn.Parameter(torch.ones(2))


def test_gradients_lie_in_memory_as_their_parameters_do() -> None:
    """Fused AdamW of torch 2.13 on CPUs is wrong, without an error, where their strides differ."""
    net = Net()
    layout = Layout(net)
    before = layout.buffers()
    given = [torch.randn(p.shape).contiguous() for p in layout.parameters]
    gradients = [None if p is net.unused else g for p, g in zip(layout.parameters, given, strict=True)]
    parts = layout.pack(gradients, before, torch.tensor(3.0), 1.0, first=True)
    found, loss, _ = layout.unpack(layout.split(torch.cat([flat(part) for part in parts])), before)
    assert loss.item() == 3
    for parameter, expected, gradient in zip(layout.parameters, gradients, found, strict=True):
        if expected is None:
            assert gradient is None  # so that weight decay leaves it alone, as in plain training
            continue
        assert gradient is not None
        assert torch.equal(gradient, expected)
        assert gradient.stride() == parameter.stride()
    assert with_strides_of(layout.parameters[0], given[0]).stride() == layout.parameters[0].stride()


def test_buffers_move_by_the_weighted_mean_of_the_shards_changes_and_count_steps_once() -> None:
    net = Net()
    layout = Layout(net)
    before = layout.buffers()
    total = layout.empty()
    for shard, (samples, mean) in enumerate(((3, 1.0), (1, 5.0))):
        layout.set_buffers(before)
        net.layers[1].running_mean.add_(mean)
        net.layers[1].num_batches_tracked.add_(1)
        unused = [None] * len(layout.parameters)
        parts = layout.pack(unused, before, torch.tensor(0.0), samples / 4, first=shard == 0)
        total = torch._foreach_add(total, parts)
    layout.unpack(total, before)
    assert net.layers[1].running_mean.tolist() == [2.0] * 4
    assert net.layers[1].running_var.tolist() == [1.0] * 4
    assert net.layers[1].num_batches_tracked.item() == 1


@pytest.mark.parametrize("kind", ["cnn", "gan"])
def test_a_step_leaves_no_tensor_to_pythons_search_for_cycles(
    kind: str, tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search comes so rarely that a step's batch would otherwise stay in memory for an epoch."""
    alive, step = [], ShardedStrategy.training_step

    def counted(strategy: ShardedStrategy, batch: Any, batch_idx: int) -> Any:
        alive.append(sum(isinstance(each, torch.Tensor) for each in gc.get_objects()))
        return step(strategy, batch, batch_idx)

    monkeypatch.setattr(ShardedStrategy, "training_step", counted)
    gc.disable()
    try:
        run(tiny_mnist, "one", 1, *KINDS[kind], "trainer.shards=2")
    finally:
        gc.enable()
    assert alive[-1] == alive[-2]  # of the last epoch
