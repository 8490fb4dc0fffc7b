"""The documented example of each Protocol is a class that trains, and faults of such classes are one line."""

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import plugins
from pipeline.actions import train
from pipeline.actions.assess import own_metrics
from pipeline.config import build_data, load_config, resolve
from pipeline.errors import ConfigError
from pipeline.training import first_batch
from pipeline.training.fit import build_task
from pipeline.types import Evaluation, Predictions
from tests.conftest import Quiet

IMPORTS = """
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from pipeline.data.batches import BatchedData
from pipeline.tasks.classification import Classification
from pipeline.types import Predictions
ROWS = {"train": 64, "val": 16, "test": 16}
def blobs(count, seed):
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(count) % 2
    return torch.randn(count, 1, 4, 4, generator=generator) + 4 * labels_N[:, None, None, None], labels_N
"""
EXAMPLES = [plugins.Net, plugins.Task, plugins.DataModule, plugins.Augmentation, plugins.Metric]
WORDS = [
    "model=residual",
    "model._target_=own.examples.FocalClassification",
    "+model.gamma=2.0",
    "~model.label_smoothing",
    "model.net._target_=own.examples.Linear",
    "~model.net.width",
    "~model.net.blocks",
    "data=blobs",
    "model.optimizer._target_=torch.optim.Adamax",
    "model.schedule._target_=torch.optim.lr_scheduler.CosineAnnealingLR",
    "~model.schedule.max_lr",
    "model.optimizer.lr=0.1",
    "trainer.max_epochs=10",
    "+metrics.balanced={_target_: own.examples.balanced_accuracy, _partial_: true}",
]
DATA = """
_target_: own.examples.Blobs
name: blobs
in_shape: [1, 4, 4]
classes: 2
batch_size: 16
"""


def example(protocol: type) -> str:
    """The code in a Protocol's docstring."""
    return textwrap.dedent(str(protocol.__doc__).partition("For example::\n")[2])


@pytest.fixture
def examples(own: Path) -> Path:
    """The project with all examples in one module, and data that they learn."""
    (own / "own/examples.py").write_text(IMPORTS + "\n\n".join(map(example, EXAMPLES)))
    (own / "conf/data/blobs.yaml").write_text(DATA)
    return own


@pytest.mark.slow
def test_the_example_of_every_protocol_trains(examples: Path) -> None:
    summary = train.train(WORDS, Quiet(), root=examples)
    assert summary["metrics"]["test/accuracy"] == summary["metrics"]["test/balanced"] > 0.8
    assert Path(summary["run_dir"]).name.startswith("blobs-linear-s0-")


def configured(root: Path) -> dict[str, Any]:
    plain: dict[str, Any] = resolve(load_config(*WORDS, root=root))
    return plain


def change(root: Path, *pairs: tuple[str, str]) -> None:
    file = root / "own/examples.py"
    for old, new in pairs:
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))


def test_the_examples_fit_together(examples: Path) -> None:
    config = configured(examples)
    data = build_data(config, examples / "data")
    assert data.describe().rows == {"train": 64, "val": 16, "test": 16}
    first_batch.check(config, data)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "self.layer(images_BCHW.flatten(1))",
            "self.layer(images_BCHW)",
            r"Linear fails on inputs of shape \(2, 1, 4, 4\): .*examples.py:\d+ in forward: RuntimeError: mat1",
        ),
        (
            "math.prod(in_shape), classes)",
            "math.prod(in_shape), 7)",
            r"returns of shape \(2, 7\) .* expected logits of shape \(2, 2\)",
        ),
        ("class Linear(nn.Module)", "class Linear(object)", "own.examples.Linear is not a torch.nn.Module"),
    ],
)
def test_a_fault_of_a_net_is_one_line_with_its_place(old: str, new: str, said: str, examples: Path) -> None:
    change(examples, (old, new))
    config = configured(examples)
    with pytest.raises(ConfigError, match=said):
        first_batch.check(config, build_data(config, examples / "data"))


def test_a_class_that_is_not_a_task_or_a_data_module_is_named(examples: Path) -> None:
    change(
        examples,
        ("(Classification):", "(nn.Module):"),
        ("super().__init__(**others)", "super().__init__()"),
        ("gamma: float, **others: Any", "gamma, net, optimizer, schedule"),
        ("(BatchedData):", "(nn.Module):"),
        ("super().__init__(name, batch_size, seed)", "super().__init__()"),
    )
    config = configured(examples)
    with pytest.raises(ConfigError, match="FocalClassification is not a task"):
        build_task(config)
    with pytest.raises(ConfigError, match=r"data: own.examples.Blobs lacks describe, splits, train_"):
        build_data(config, examples / "data")


def test_a_fault_of_a_metric_is_one_line_with_its_place(examples: Path) -> None:
    predictions = Predictions(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ("left", "right"))
    measured = Evaluation({"accuracy": 1.0}, details=predictions)
    config = configured(examples)
    assert own_metrics(config, measured, examples) == {"balanced": 1.0}
    with pytest.raises(ConfigError, match=r"metrics.balanced: this metric is measured anyway"):
        own_metrics(config, Evaluation({"balanced": 1.0}, details=predictions), examples)
    with pytest.raises(ConfigError, match=r"metrics.balanced: only classifiers"):
        own_metrics(config, Evaluation({}), examples)
    with pytest.raises(ConfigError, match=r"metrics.balanced: .*examples.py:\d+ in balanced_accuracy: TypeError"):
        own_metrics(config, Evaluation({}, details=replace(predictions, y_true=np.zeros((1, 1, 1)))), examples)
