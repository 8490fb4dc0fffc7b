"""A trained net in portable forms: ONNX, torch.export's pt2, safetensors; each read back and run by its own library."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.data.batches import BatchedData
from pipeline.data.texts.vocabulary import PADDING, Vocabulary

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], np.ndarray]  # a portable model: named inputs, first dimension the batch, to its one output


@dataclass(frozen=True, slots=True)
class ExportableModel:
    """What is exported: a net in evaluation mode, real inputs of any batch size from 2 up, and the output's name.

    The inputs named in `text` are of any length, too, where the form allows it; those in `ignored` change nothing.
    `facts` travel inside the file.
    """

    net: nn.Module
    inputs: dict[str, Tensor]
    output: str
    text: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Mean(nn.Module):
    """The mean of what several nets say of the same input."""

    def __init__(self, members: Sequence[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([member(inputs) for member in self.members]).mean(dim=0)


def with_softmax(net: nn.Module) -> nn.Module:
    """The net, its logits turned into probabilities."""
    return nn.Sequential(net, nn.Softmax(dim=-1))


def to_onnx(portable: ExportableModel, path: Path) -> Run:
    """Write ONNX, any batch size and length; what onnxruntime makes of the file.

    One form serves all nets. The exporter built on torch.export fixes the time dimension of recurrent nets; the older
    one, used here, leaves it free.
    """
    import onnx
    import onnxruntime

    names = [*portable.inputs, portable.output]
    axes = {name: {0: "batch", **({1: "time"} if name in portable.text else {})} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older exporter is the older one
        torch.onnx.export(
            portable.net.eval(),
            tuple(portable.inputs.values()),
            path,
            input_names=list(portable.inputs),
            output_names=[portable.output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    if portable.facts:
        graph = onnx.load(str(path))
        onnx.helper.set_model_props(graph, portable.facts)
        onnx.save(graph, str(path))
    session = onnxruntime.InferenceSession(path.read_bytes())  # its name may be none in UTF-8
    kept = {port.name for port in session.get_inputs()}  # an input that the net ignores is none of the graph's

    def run(inputs: Arrays) -> np.ndarray:
        (answer,) = session.run(None, {name: array for name, array in inputs.items() if name in kept})
        return np.asarray(answer)

    return run


def to_pt2(portable: ExportableModel, path: Path) -> Run:
    """Write a torch.export archive, any batch size; texts must have the length of the example (pad them with 0)."""
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in portable.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its internals
        program = torch.export.export(portable.net.eval(), tuple(portable.inputs.values()), dynamic_shapes=shapes)
        torch.export.save(program, path, extra_files=portable.facts)
        stored = torch.export.load(path).module()

    @torch.inference_mode()
    def run(inputs: Arrays) -> np.ndarray:
        answer: Tensor = stored(*(torch.from_numpy(array) for array in inputs.values()))
        return answer.numpy()

    return run


def to_safetensors(portable: ExportableModel, path: Path, rebuild: Callable[[], nn.Module]) -> Run:
    """Write the weights, with what rebuilds the net in the header; what a net rebuilt and filled with them says."""
    from safetensors.torch import load_file, save_file

    weights = {name: tensor.detach().contiguous() for name, tensor in portable.net.state_dict().items()}
    save_file(weights, path, metadata=portable.facts)
    net = rebuild().eval()
    net.load_state_dict(load_file(path))

    @torch.inference_mode()
    def run(inputs: Arrays) -> np.ndarray:
        answer: Tensor = net(*(torch.from_numpy(array) for array in inputs.values()))
        return answer.numpy()

    return run


@torch.inference_mode()
def largest_difference(run: Run, portable: ExportableModel, sizes: Sequence[int]) -> float:
    """Between a portable form and its net, over batches of these sizes from the portable's real inputs.

    No batch repeats another's samples while there are enough of them.
    """
    worst, start = 0.0, 0
    count = len(next(iter(portable.inputs.values())))
    for size in sizes:
        places = torch.arange(start, start + size) % count
        start += size
        inputs = {name: tensor[places] for name, tensor in portable.inputs.items()}
        found = run({name: tensor.numpy() for name, tensor in inputs.items()})
        expected = portable.net(*inputs.values()).numpy()
        difference = np.abs(found - expected).max() if found.shape == expected.shape else np.inf
        worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
    return worst


def first_inputs(data: BatchedData, count: int) -> Tensor:
    """The first inputs of the test split (again from the start if it has fewer), texts padded alike."""
    inputs: Tensor = next(iter(data.batches("test")))[0]
    inputs = inputs[torch.arange(count) % len(inputs)]
    if inputs.is_floating_point():
        return inputs
    longest = int((inputs != PADDING).sum(dim=1).max())
    return inputs[:, :longest]


def facts(config: dict[str, Any], vocabulary: Vocabulary | None) -> dict[str, str]:
    """What a portable file says of itself: how it was made, its classes, and for a net that reads its words."""
    told = {"config.json": json.dumps(config), "labels.json": json.dumps(config["labels"])}
    if vocabulary is None:
        return told
    # The number of the first word is 2; the commonest `dropped` words are left out of every text.
    return {**told, "vocabulary.json": json.dumps({"words": vocabulary.words, "dropped": vocabulary.dropped})}
