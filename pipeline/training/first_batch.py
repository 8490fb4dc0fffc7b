"""Run a net of one's own on the data's first samples before any worker starts: a fault is one line, at once."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pipeline.config import Config
from pipeline.config.kind import task_of
from pipeline.config.source import current
from pipeline.config.targets import of_project
from pipeline.errors import ConfigError
from pipeline.plugins import place_of
from pipeline.training.fit import build_task

if TYPE_CHECKING:
    from pipeline.data.batches import BatchedData

SAMPLES = 2


def check(config: Config, data: "BatchedData") -> None:
    """Run a classifier's own net on samples of the validation split.

    Raises: ConfigError if it fails, or does not return a logit for each class.
    """
    target = str(config["model"].get("net", {}).get("_target_"))
    if not of_project(target) or task_of(config).does != "classify":
        return
    inputs, _ = next(iter(data.batches("val")))
    inputs = inputs[:SAMPLES]
    found = _output(build_task(config).net, target, inputs)
    shape, expected = getattr(found, "shape", type(found).__name__), (len(inputs), len(data.labels))
    if shape != expected:
        raise ConfigError(
            f"model.net: {target} returns {_words(shape)} for inputs {_words(inputs.shape)}, expected logits "
            f"{_words(expected)}, one for each class."
        )


@torch.no_grad()
def _output(net: nn.Module, target: str, inputs: Tensor) -> Any:
    own = current()
    assert own is not None
    try:
        return net.eval()(inputs)
    except Exception as error:
        where = place_of(error, own.root)
        raise ConfigError(
            f"model.net: {target} fails on inputs {_words(inputs.shape)}: {where}. Correct it."
        ) from error


def _words(shape: Any) -> str:
    return f"of shape {tuple(shape)}" if isinstance(shape, tuple) else str(shape)
