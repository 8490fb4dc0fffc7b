"""Export of trained nets to ONNX, torch.export (pt2) and safetensors; each file is read back by its own library."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.config import Config
from pipeline.data.batches import BatchedData
from pipeline.data.texts.vocabulary import PADDING, Vocabulary
from pipeline.evaluation.calibration import TINY, Calibration

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], np.ndarray]  # an exported model: named inputs, batch first, to its only output


@dataclass(frozen=True, slots=True)
class ExportableModel:
    """A net in evaluation mode with real inputs (batch size 2 or more) and the name of its output.

    The inputs named in `text` have a variable length where the format allows it; the inputs in `ignored` do not affect
    the output. `facts` are stored in the file as metadata.
    """

    net: nn.Module
    inputs: dict[str, Tensor]
    output: str
    text: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Mean(nn.Module):
    """The mean output of several nets for the same input."""

    def __init__(self, members: Sequence[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.stack([member(inputs) for member in self.members]).mean(dim=0)


class Temperature(nn.Module):
    """Calibrated probabilities, softmax(log p / T), of probabilities p; see `pipeline.evaluation.calibration`."""

    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature

    def forward(self, probabilities: Tensor) -> Tensor:
        return (probabilities.clamp(min=TINY).log() / self.temperature).softmax(dim=-1)


def with_softmax(net: nn.Module, calibration: Calibration | None = None) -> nn.Module:
    """The net with a softmax after its logits, then with its temperature if it is calibrated."""
    return nn.Sequential(net, nn.Softmax(dim=-1), *_temperature(calibration))


def calibrated(net: nn.Module, calibration: Calibration | None) -> nn.Module:
    """A net that computes probabilities, with its temperature if it is calibrated."""
    return nn.Sequential(net, *_temperature(calibration)) if calibration else net


def _temperature(calibration: Calibration | None) -> list[nn.Module]:
    return [Temperature(calibration.temperature)] if calibration else []


def to_onnx(model: ExportableModel, path: Path) -> Run:
    """Write ONNX with variable batch size and length, and return a function that runs the file in onnxruntime.

    All nets use the TorchScript exporter, since the one based on torch.export fixes the length of recurrent nets.
    """
    import onnx
    import onnxruntime

    names = [*model.inputs, model.output]
    axes = {name: {0: "batch", **({1: "time"} if name in model.text else {})} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its deprecation
        torch.onnx.export(
            model.net.eval(),
            tuple(model.inputs.values()),
            path,
            input_names=list(model.inputs),
            output_names=[model.output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    if model.facts:
        graph = onnx.load(str(path))
        onnx.helper.set_model_props(graph, model.facts)
        onnx.save(graph, str(path))
    session = onnxruntime.InferenceSession(path.read_bytes())  # it rejects paths that are not UTF-8
    graph_inputs = {port.name for port in session.get_inputs()}  # the exporter drops inputs that the net ignores

    def run(inputs: Arrays) -> np.ndarray:
        (output,) = session.run(None, {name: array for name, array in inputs.items() if name in graph_inputs})
        return np.asarray(output)

    return run


def to_pt2(model: ExportableModel, path: Path) -> Run:
    """Write a torch.export archive with variable batch size; texts have the length of the example (pad with 0)."""
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in model.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from torch's internals
        program = torch.export.export(model.net.eval(), tuple(model.inputs.values()), dynamic_shapes=shapes)
        torch.export.save(program, path, extra_files=model.facts)
        stored = torch.export.load(path).module()

    @torch.inference_mode()
    def run(inputs: Arrays) -> np.ndarray:
        output: Tensor = stored(*(torch.from_numpy(array) for array in inputs.values()))
        return output.numpy()

    return run


def to_safetensors(model: ExportableModel, path: Path, rebuild: Callable[[], nn.Module]) -> Run:
    """Write the weights with the configuration in the header, and return a rebuilt net that loads the file."""
    from safetensors.torch import load_file, save_file

    weights = {name: tensor.detach().contiguous() for name, tensor in model.net.state_dict().items()}
    save_file(weights, path, metadata=model.facts)
    net = rebuild().eval()
    net.load_state_dict(load_file(path))

    @torch.inference_mode()
    def run(inputs: Arrays) -> np.ndarray:
        output: Tensor = net(*(torch.from_numpy(array) for array in inputs.values()))
        return output.numpy()

    return run


@torch.inference_mode()
def largest_difference(run: Run, model: ExportableModel, sizes: Sequence[int]) -> float:
    """The largest absolute difference between an exported model and its net, over batches of the given sizes.

    The batches take consecutive samples of the model's inputs and repeat samples only when all are used.
    """
    worst, start = 0.0, 0
    count = len(next(iter(model.inputs.values())))
    for size in sizes:
        rows = torch.arange(start, start + size) % count
        start += size
        inputs = {name: tensor[rows] for name, tensor in model.inputs.items()}
        exported = run({name: tensor.numpy() for name, tensor in inputs.items()})
        expected = model.net(*inputs.values()).numpy()
        difference = np.abs(exported - expected).max() if exported.shape == expected.shape else np.inf
        worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
    return worst


def first_inputs(data: BatchedData, count: int) -> Tensor:
    """The first `count` inputs of the test split (repeated if there are fewer), texts padded to one length."""
    inputs: Tensor = next(iter(data.batches("test")))[0]
    inputs = inputs[torch.arange(count) % len(inputs)]
    if inputs.is_floating_point():
        return inputs
    longest = int((inputs != PADDING).sum(dim=1).max())
    return inputs[:, :longest]


def facts(config: Config, vocabulary: Vocabulary | None, calibration: Calibration | None = None) -> dict[str, str]:
    """Metadata of an exported file: the configuration, the class labels, the temperature that the outputs have been
    divided by, and the vocabulary of a model of texts.
    """
    metadata = {"config.json": json.dumps(config), "labels.json": json.dumps(config["labels"])}
    if calibration:
        metadata["temperature.json"] = json.dumps(calibration.temperature)
    if vocabulary is None:
        return metadata
    # The first word has index 2; the `dropped` most frequent words are removed from every text.
    return {**metadata, "vocabulary.json": json.dumps({"words": vocabulary.words, "dropped": vocabulary.dropped})}
