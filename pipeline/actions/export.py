"""Export of stored models, each file checked against the model that it was made from."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor

from pipeline.actions import output_file
from pipeline.actions.model_card import SUFFIX, model_card
from pipeline.config import build_data
from pipeline.data.texts.vocabulary import PADDING
from pipeline.errors import CheckpointError, ConfigError
from pipeline.files import atomic_file, atomic_write, sha256
from pipeline.inference.export import ExportableModel, largest_difference, to_onnx, to_pt2, to_safetensors
from pipeline.inference.preprocessing import NAME, preprocessing
from pipeline.kinds import load
from pipeline.runs import lookup
from pipeline.types import Config, Predictor

if TYPE_CHECKING:
    import numpy as np

    from pipeline.data.batches import BatchedData

FORMATS = ("onnx", "pt2", "safetensors")
BATCH_SIZES = (1, 3, 64)  # that an exported model is checked with
TOLERANCE = 1e-5  # absolute, of probabilities or pixels in [0, 1]
FOLDER = "exports"


class Export(TypedDict):
    """An exported file and what it was checked with."""

    path: str
    bytes: int
    digest: str
    difference: float  # the largest from the model's outputs
    inputs: dict[str, str]  # type and shape by name
    sizes: list[int]  # of the batches
    data: str


def export(run: str, file_format: str, target: Path | None, *, root: Path) -> Export:
    """Export a stored model to `target` (default: exports/EXPERIMENT-SEED.FORMAT in the project).

    Its SHA-256 and its model card are written beside it.

    Raises: ConfigError if the model has no such format; CheckpointError if the outputs of the file differ from the
    model's on real inputs; DataError if `target` can't be written.
    """
    if file_format not in FORMATS:
        raise ConfigError(f"--format {file_format}: unknown format. Choose one of {', '.join(FORMATS)}.")
    if target:
        output_file.check(target, "--out")
    model_dir = lookup.model_dir(run, root)
    predictor = load(model_dir)
    name = f"{predictor.config['name']}-{predictor.config['seed']}"
    model = _explained(predictor, build_data(predictor.config, root / "data"), sum(BATCH_SIZES))
    if file_format == "pt2" and model.text:
        model = _padded(model, predictor.config["data"])
    target = target or root / FOLDER / f"{name}.{file_format}"
    output_file.check(target, "--out")
    with atomic_file(target, f".{file_format}") as aside:
        if file_format == "safetensors":
            run_exported = to_safetensors(model, aside, lambda: deepcopy(model.net).apply(_set_to_zero))
        else:
            run_exported = (to_onnx if file_format == "onnx" else to_pt2)(model, aside)
        difference = largest_difference(run_exported, model, BATCH_SIZES)
        if difference > TOLERANCE:
            raise CheckpointError(
                f"{target}: outputs differ from the model's by {difference:.1e}, more than {TOLERANCE:.0e}, on batches "
                f"of {BATCH_SIZES}. Nothing was written; choose another --format than {file_format}."
            )
    digest = sha256(target)
    atomic_write(target.with_name(f"{target.name}.sha256"), f"{digest}  {target.name}\n")
    atomic_write(target.with_name(f"{target.name}{SUFFIX}"), model_card(model_dir, root))
    variable = [0, 1] if model.text and file_format != "pt2" else [0]
    inputs = {key: _shape(tensor, variable) for key, tensor in model.inputs.items()}
    for key in model.ignored:
        inputs[key] += ", ignored: this generator is unconditional" + " (not in the graph)" * (file_format == "onnx")
    return {
        "path": str(target),
        "bytes": target.stat().st_size,
        "digest": digest,
        "difference": difference,
        "inputs": inputs,
        "sizes": list(BATCH_SIZES),
        "data": predictor.config["data"]["name"],
    }


def onnx_example(
    predictor: Predictor, data: "BatchedData", path: Path
) -> "tuple[dict[str, np.ndarray], np.ndarray] | None":
    """Write a run's ONNX file; example inputs and the output for them, or None if the model can't be exported."""
    try:
        model = _explained(predictor, data, 2)
    except ConfigError:
        return None
    to_onnx(model, path)
    with torch.inference_mode():
        output = model.net(*model.inputs.values())
    inputs = {name: tensor.numpy() for name, tensor in model.inputs.items() if name not in model.ignored}
    return inputs, output.numpy()


def _explained(predictor: Predictor, data: "BatchedData", count: int) -> ExportableModel:
    """The model with the description of its inputs in its metadata.

    Raises: ConfigError if the model can't be exported.
    """
    model: ExportableModel = predictor.exportable(data, count)
    steps = preprocessing(predictor.config, predictor.input_type, data)
    return replace(model, facts={**model.facts, NAME: json.dumps(steps)})


def _padded(model: ExportableModel, data: Config) -> ExportableModel:
    """The model with texts padded to the maximal length, since torch.export fixes the length."""
    longest = data.get("max_tokens") or data["longest"]
    inputs = model.inputs["input"]
    padded = torch.nn.functional.pad(inputs, (0, longest - inputs.shape[1]), value=PADDING)
    return replace(model, inputs={"input": padded})


def _set_to_zero(module: torch.nn.Module) -> None:
    """Set all weights and buffers to zero, so that the net's outputs prove that the file was loaded."""
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        tensor.data.zero_()


def _shape(tensor: Tensor, variable: list[int]) -> str:
    names = {0: "batch", 1: "time"}
    sizes = ", ".join(names[dim] if dim in variable else str(size) for dim, size in enumerate(tensor.shape))
    return f"{str(tensor.dtype).removeprefix('torch.')} ({sizes})"
