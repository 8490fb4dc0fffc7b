"""Portable forms of stored models, each held against the model it came from."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.actions import runs
from pipeline.answer import takes
from pipeline.checkpoint import sha256
from pipeline.config import build_data
from pipeline.data.vocabulary import PADDING
from pipeline.ensemble import is_baseline, is_ensemble, load
from pipeline.errors import CheckpointError, ConfigError
from pipeline.export import Mean, Portable, facts, largest_difference, to_onnx, to_pt2, to_safetensors, with_softmax

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
    predictor = load(runs.model_dir(run, root))
    name = f"{predictor.config['name']}-{predictor.config['seed']}"
    portable = _portable(predictor, build_data(predictor.config, root / "data"), name)
    if form == "pt2" and portable.text:
        portable = _padded(portable, predictor.config["data"])
    target = target or Path.cwd() / f"{name}.{form}"
    aside = target.with_name(f".{target.name}.aside.{form}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
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
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    digest = sha256(target)
    target.with_name(f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n")
    free = [0, 1] if portable.text and form != "pt2" else [0]
    inputs = {key: _shape(tensor, free) for key, tensor in portable.inputs.items()}
    for key in _ignored(predictor):
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


def onnx_example(predictor: Any, data: Any, path: Path) -> tuple[dict[str, Any], Any] | None:
    """Write a run's ONNX; an example of its inputs and what it answers. None if the model has no such form."""
    try:
        portable = _portable(predictor, data, str(predictor.config["name"]), count=2)
    except ConfigError:
        return None
    to_onnx(portable, path)
    with torch.inference_mode():
        answer = portable.net(*portable.inputs.values())
    ignored = _ignored(predictor)
    return {name: tensor.numpy() for name, tensor in portable.inputs.items() if name not in ignored}, answer.numpy()


def _ignored(predictor: Any) -> tuple[str, ...]:
    """The inputs that a net does not look at, and that are none of an ONNX graph's."""
    return () if getattr(getattr(predictor, "net", None), "conditional", True) else ("labels",)


def _portable(predictor: Any, data: Any, name: str, count: int = sum(SIZES)) -> Portable:
    """The net behind a model with `count` inputs: the first of the test split, or for a generator noise.

    Raises: ConfigError if there is no net of one input behind it.
    """
    members = getattr(predictor, "members", (predictor,))
    if any(is_baseline(member.config["model"]) for member in members):
        raise ConfigError(
            f"{name}: counts of words are no tensor, so baselines have no portable form. Copy the model's folder: it "
            "holds plain arrays (safetensors) and a list of words."
        )
    if any(is_ensemble(member.config) for member in members):
        raise ConfigError(f"{name}: an ensemble of ensembles has no portable form. Export its members.")
    first = members[0]
    vocabulary = first.vocabulary
    if any(member.vocabulary != vocabulary for member in members):
        raise ConfigError(f"{name}: its members number words differently, so no one input fits all. Export each.")
    told = facts(predictor.config, vocabulary)
    if takes(predictor) == "classes":
        noise_NZ = torch.randn(count, first.net.noise, generator=torch.Generator().manual_seed(0))
        labels_N = torch.arange(count) % first.net.classes
        return Portable(first.net, {"noise": noise_NZ, "labels": labels_N}, "images", facts=told)
    inputs = _first(data, count)
    net = with_softmax(first.net) if len(members) == 1 else Mean([with_softmax(member.net) for member in members])
    text = () if inputs.is_floating_point() else ("input",)
    return Portable(net.eval(), {"input": inputs}, "probabilities", text, told)


def _first(data: Any, count: int) -> Tensor:
    """The first inputs of the test split (again from the start if it has fewer), texts padded alike."""
    inputs: Tensor = next(iter(data.batches("test")))[0]
    inputs = inputs[torch.arange(count) % len(inputs)]
    if inputs.is_floating_point():
        return inputs
    longest = int((inputs != PADDING).sum(dim=1).max())
    return inputs[:, :longest]


def _padded(portable: Portable, reading: dict[str, Any]) -> Portable:
    """Texts filled up to the most that the net reads: torch.export fixes the length."""
    longest = reading.get("max_tokens") or reading["longest"]
    inputs = portable.inputs["input"]
    full = torch.nn.functional.pad(inputs, (0, longest - inputs.shape[1]), value=PADDING)
    return Portable(portable.net, {"input": full}, portable.output, portable.text, portable.facts)


def _forget(module: Any) -> None:
    """Every weight and buffer to zero: what a net says afterwards comes from the file."""
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        tensor.data.zero_()


def _shape(tensor: Tensor, free: list[int]) -> str:
    names = {0: "batch", 1: "time"}
    sizes = ", ".join(names[place] if place in free else str(size) for place, size in enumerate(tensor.shape))
    return f"{str(tensor.dtype).removeprefix('torch.')} ({sizes})"
