"""Cache of computed tensors and folders under `.cache/`.

Entries are written atomically and verified by SHA-256 when they are read; a damaged one is computed again. Of several
processes that need the same entry, the first computes it and the others wait.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.data.download import writing
from pipeline.files import atomic_file, atomic_folder, file_lock, sha256


def cached_tensor(path: Path, name: str, compute: Callable[[], Tensor]) -> Tensor:
    """The tensor `name` of the safetensors file `path`, computed and stored unless it is there and verifies.

    Raises: DataError if it can't be written.
    """
    if (stored := _stored(path, name)) is not None:
        return stored
    with writing(path, 0):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock")
        lock.touch()
    with file_lock(lock):
        if (stored := _stored(path, name)) is not None:  # another process computed it meanwhile
            return stored
        tensor = compute().contiguous()
        with writing(path, tensor.nbytes), atomic_file(path) as aside:
            save_file({name: tensor}, aside, {"sha256": _digest(tensor)})
    return tensor


def _stored(path: Path, name: str) -> Tensor | None:
    try:
        with safe_open(path, "pt") as file:
            tensor: Tensor = file.get_tensor(name)
            expected = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return tensor if expected == _digest(tensor) else None


def _digest(tensor: Tensor) -> str:
    """SHA-256 of dtype, shape and values."""
    digest = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)} ".encode())
    digest.update(tensor.detach().contiguous().flatten().numpy().data)
    return digest.hexdigest()


def cached_folder(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` unless it is there and verifies.

    Raises: DataError if it can't be written.
    """
    if _verifies(folder):
        return folder
    with writing(folder, 0):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(folder.with_name(f".{folder.name}.lock")):
            if not _verifies(folder):  # another process may have filled it
                atomic_folder(folder, lambda aside: _fill(aside, make))
    return folder


def _fill(aside: Path, make: Callable[[Path], None]) -> None:
    make(aside)
    sums = {file.name: sha256(file) for file in sorted(aside.iterdir())}
    (aside / "manifest.json").write_text(json.dumps(sums))


def _verifies(folder: Path) -> bool:
    try:
        sums = json.loads((folder / "manifest.json").read_text())
        return all(sha256(folder / name) == digest for name, digest in sums.items())
    except (OSError, ValueError, AttributeError):
        return False
