"""What is computed once and then kept under `.cache/`: a tensor in a file, or a folder of files.

A folder appears whole or not at all, and is verified before it is believed; a damaged one is made anew.
"""

import hashlib
import json
import os
import shutil
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


def cached(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` unless it stands there already and verifies.

    Raises: DataError if the disk refuses.
    """
    if _verifies(folder):
        return folder
    aside = folder.with_name(f".{folder.name}.{os.uname().nodename}.{os.getpid()}")
    with writing(folder, 0):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            make(aside)
            sums = {file.name: _sha256(file) for file in sorted(aside.iterdir())}
            (aside / "manifest.json").write_text(json.dumps(sums))
            aside.replace(folder)
        except OSError:
            if not _verifies(folder):  # another process may have been faster
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def _verifies(folder: Path) -> bool:
    try:
        sums = json.loads((folder / "manifest.json").read_text())
        return all(_sha256(folder / name) == digest for name, digest in sums.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
