"""Tensors that are computed once and then kept in a file."""

import os
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.data.download import writing


def kept(path: Path, name: str, compute: Callable[[], Tensor]) -> Tensor:
    """The tensor `name` in the safetensors file `path`, computed and written whole if it is not there yet."""
    if not path.is_file():
        tensor = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path, tensor.nbytes):
            aside = path.with_suffix(f".{os.getpid()}")
            save_file({name: tensor}, aside)
            aside.replace(path)
    stored: Tensor = load_file(path)[name]
    return stored
