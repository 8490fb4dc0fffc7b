"""A trained net in portable forms."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


def to_onnx(net: nn.Module, example: Tensor, path: Path) -> None:
    """Write `net` followed by softmax as ONNX: `input` -> `probabilities`, any batch size.

    Whole numbers as input are symbols (batch, time); their time is free too.

    One form serves all nets. The exporter built on torch.export fixes the time dimension of recurrent nets; the older
    one, used here, leaves it free.
    """
    model = nn.Sequential(net, nn.Softmax(dim=-1)).eval()
    free = {0: "batch"} if example.is_floating_point() else {0: "batch", 1: "time"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older exporter is the older one
        torch.onnx.export(
            model,
            (example,),
            path,
            input_names=["input"],
            output_names=["probabilities"],
            dynamic_axes={"input": free, "probabilities": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
