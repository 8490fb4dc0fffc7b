"""ExportableModel forms of stored models, each held against the model it came from."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.config import build_data
from pipeline.data.texts.vocabulary import PADDING
from pipeline.errors import CheckpointError, ConfigError
from pipeline.files import atomic_file, atomic_write, sha256
from pipeline.inference.export import ExportableModel, largest_difference, to_onnx, to_pt2, to_safetensors
from pipeline.kinds import load
from pipeline.runs import lookup
from pipeline.types import Predictor

FORMS = ("onnx", "pt2", "safetensors")
SIZES = (1, 3, 64)  # batches that a portable form is tried with
TOLERANCE = 1e-5


def export(run: str, form: str, target: Path | None, *, root: Path) -> dict[str, Any]:
    """Write a stored model in a portable form, unless it differs from the model on real inputs.

    Returns: path, bytes, digest, difference, inputs (name -> dtype and shape), sizes, data.
    Raises: ConfigError if the model has no such form; CheckpointError if what was written says something else.
    """
    if form not in FORMS:
        raise ConfigError(f"--format {form}: no such form. There are: {', '.join(FORMS)}.")
    predictor = load(lookup.model_dir(run, root))
    name = f"{predictor.config['name']}-{predictor.config['seed']}"
    portable: ExportableModel = predictor.exportable(build_data(predictor.config, root / "data"), sum(SIZES))
    if form == "pt2" and portable.text:
        portable = _padded(portable, predictor.config["data"])
    target = target or Path.cwd() / f"{name}.{form}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target, f".{form}") as aside:
        if form == "safetensors":
            answers = to_safetensors(portable, aside, lambda: deepcopy(portable.net).apply(_forget))
        else:
            answers = (to_onnx if form == "onnx" else to_pt2)(portable, aside)
        difference = largest_difference(answers, portable, SIZES)
        if difference > TOLERANCE:
            raise CheckpointError(
                f"{target}: the {form} form differs from the model by {difference:.1e}, more than {TOLERANCE:.0e}, on "
                f"batches of {SIZES}. Nothing was written; use another --format."
            )
    digest = sha256(target)
    atomic_write(target.with_name(f"{target.name}.sha256"), f"{digest}  {target.name}\n")
    free = [0, 1] if portable.text and form != "pt2" else [0]
    inputs = {key: _shape(tensor, free) for key, tensor in portable.inputs.items()}
    for key in portable.ignored:
        inputs[key] += ", ignored: this net can't be asked for a class" + " (none of the graph's)" * (form == "onnx")
    return {
        "path": str(target),
        "bytes": target.stat().st_size,
        "digest": digest,
        "difference": difference,
        "inputs": inputs,
        "sizes": list(SIZES),
        "data": predictor.config["data"]["name"],
    }


def onnx_example(predictor: Predictor, data: Any, path: Path) -> tuple[dict[str, Any], Any] | None:
    """Write a run's ONNX; an example of its inputs and what it answers. None if the model has no such form."""
    try:
        portable: ExportableModel = predictor.exportable(data, 2)
    except ConfigError:
        return None
    to_onnx(portable, path)
    with torch.inference_mode():
        answer = portable.net(*portable.inputs.values())
    inputs = {name: tensor.numpy() for name, tensor in portable.inputs.items() if name not in portable.ignored}
    return inputs, answer.numpy()


def _padded(portable: ExportableModel, reading: dict[str, Any]) -> ExportableModel:
    """Texts filled up to the most that the net reads: torch.export fixes the length."""
    longest = reading.get("max_tokens") or reading["longest"]
    inputs = portable.inputs["input"]
    full = torch.nn.functional.pad(inputs, (0, longest - inputs.shape[1]), value=PADDING)
    return replace(portable, inputs={"input": full})


def _forget(module: Any) -> None:
    """Every weight and buffer to zero: what a net says afterwards comes from the file."""
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        tensor.data.zero_()


def _shape(tensor: Tensor, free: list[int]) -> str:
    names = {0: "batch", 1: "time"}
    sizes = ", ".join(names[place] if place in free else str(size) for place, size in enumerate(tensor.shape))
    return f"{str(tensor.dtype).removeprefix('torch.')} ({sizes})"
