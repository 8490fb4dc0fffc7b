"""A trained net in portable forms."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn


def to_onnx(net: nn.Module, inputs: dict[str, Tensor], output: str, path: Path, text: Sequence[str] = ()) -> None:
    """Write a net as ONNX, any batch size; the inputs named in `text` are of any length, too.

    One form serves all nets. The exporter built on torch.export fixes the time dimension of recurrent nets; the older
    one, used here, leaves it free.
    """
    axes = {name: {0: "batch", **({1: "time"} if name in text else {})} for name in [*inputs, output]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older exporter is the older one
        torch.onnx.export(
            net.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def with_softmax(net: nn.Module) -> nn.Module:
    """The net, its logits turned into probabilities."""
    return nn.Sequential(net, nn.Softmax(dim=-1))
