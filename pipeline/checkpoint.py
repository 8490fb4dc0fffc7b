"""Folders that are whole or absent: written aside, fsynced, sealed with a manifest of SHA-256, then renamed.

Used for the checkpoints of a run and for the finished model. Reading verifies every byte first and never unpickles
anything but tensors and plain containers.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.config import SOURCE_KEYS
from pipeline.errors import CheckpointError

MANIFEST = "manifest.json"
STATE = "state.ckpt"
MODEL = "model.safetensors"
CONFIG = "config.json"
INIT_FROM, TEACHER = "init_from", "teacher"  # folders of a run: the model it starts from, its teacher's predictions
FORMER = {INIT_FROM: "start", TEACHER: "taught"}  # what older runs call them


def publish(folder: Path, write: Callable[[Path], None], **facts: Any) -> Path:
    """Make `folder` appear at once, holding what `write` puts into the folder it is given, and a manifest.

    `facts` (step, digests, …) go into the manifest. An existing folder is replaced.

    Raises: CheckpointError if the disk refuses; what was there before stays.
    """
    aside, old = _hidden(folder, str(os.getpid())), _hidden(folder, "old")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write(aside)
        files = {str(path.relative_to(aside)): sha256(path) for path in sorted(aside.rglob("*")) if path.is_file()}
        (aside / MANIFEST).write_text(json.dumps({**facts, "files": files}, indent=1, sort_keys=True) + "\n")
        for path in [*aside.rglob("*"), aside]:
            _fsync(path)
        settle(folder)
        if folder.exists():
            folder.rename(old)
        aside.rename(folder)
        _fsync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        written = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
        shutil.rmtree(aside, ignore_errors=True)
        settle(folder)
        place = next(parent for parent in folder.parents if parent.exists())
        raise CheckpointError(
            f"{folder}: {error.strerror or error} after {written:,} bytes ({shutil.disk_usage(place).free:,} free "
            "now). What was there before is kept. Make room, then `pipeline resume`."
        ) from error
    return folder


def settle(folder: Path) -> None:
    """Undo a replacement that a crash cut off between its two renames: the old folder comes back."""
    old = _hidden(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _hidden(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}.{suffix}")


def copy(source: Path, folder: Path) -> Path:
    """Publish a verified folder once more, somewhere else.

    Raises: CheckpointError if it does not verify.
    """
    facts = verify(source)
    del facts["files"]
    whole = partial(shutil.copytree, source, ignore=shutil.ignore_patterns(MANIFEST), dirs_exist_ok=True)
    return publish(folder, whole, **facts)


def verify(folder: Path) -> dict[str, Any]:
    """The manifest of a folder all of whose files are what was written.

    Raises: CheckpointError naming the file that is missing or changed.
    """
    settle(folder)
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / MANIFEST}: missing or torn ({error}). Use another checkpoint or train again."
        ) from error
    for name, expected in files.items():
        path = folder / name
        found = sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise CheckpointError(
                f"{path}: expected SHA-256 {expected}, got {found}. Use another checkpoint or train again."
            )
    return manifest


def parent_folder(run_dir: Path, name: str) -> Path:
    """The folder `name` (INIT_FROM or TEACHER) of a run, under the name that the run gave it."""
    former = run_dir / FORMER[name]
    return former if former.exists() else run_dir / name


def newest(parent: Path) -> Path | None:
    """The latest checkpoint under `parent` that verifies; torn ones are passed over."""
    for folder in sorted(parent.glob("step-*"), reverse=True):
        try:
            verify(folder)
        except CheckpointError:
            continue
        return folder
    return None


def prune(parent: Path, keep: int) -> None:
    """Remove what is neither among the latest `keep` checkpoints nor the best, and what crashes left behind."""
    best = _best(parent)
    old = [folder for folder in sorted(parent.glob("step-*"))[:-keep] if folder != best]
    for folder in [*old, *parent.glob(".step-*")]:
        shutil.rmtree(folder)


def superfluous(parent: Path) -> list[Path]:
    """All checkpoints but the newest that verifies and the best; none if none verifies."""
    latest = newest(parent)
    return sorted({*parent.glob("step-*")} - {latest, _best(parent)}) if latest else []


def _best(parent: Path) -> Path | None:
    best = max(sorted(parent.glob("step-*")), key=_score, default=None)
    return best if best and _score(best) > -math.inf else None


def best_score(parent: Path) -> float:
    """The score of the best checkpoint, minus infinity if none has one."""
    return max(map(_score, parent.glob("step-*")), default=-math.inf)


def _score(folder: Path) -> float:
    try:
        return float(json.loads((folder / MANIFEST).read_text())["score"])
    except (OSError, ValueError, KeyError, TypeError):  # torn, or not the end of an epoch
        return -math.inf


def save_config(config: dict[str, Any], labels: Sequence[str], folder: Path) -> None:
    """What rebuilds a model and says what it was trained on, without where that came from."""
    kept = {key: config[key] for key in ("name", "seed", "data", "model", "requires")}
    kept["data"] = {key: value for key, value in kept["data"].items() if key not in SOURCE_KEYS}
    (folder / CONFIG).write_text(json.dumps({**kept, "labels": labels}, indent=1) + "\n")


def save_weights(net: Any, path: Path) -> None:
    """A module's parameters and buffers as safetensors."""
    save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}, path)


def save_tensors(tensors: dict[str, Any], path: Path) -> None:
    """Write named tensors as a safetensors file."""
    from safetensors.torch import save_file

    save_file(tensors, path)


def weights(folder: Path) -> dict[str, Any]:
    """The tensors of a folder, by name.

    Raises: CheckpointError if it does not verify.
    """
    from safetensors.torch import load_file

    verify(folder)
    tensors: dict[str, Any] = load_file(folder / MODEL)
    return tensors


def load_weights(net: Any, folder: Path) -> None:
    """Fill a module with the weights of a verified model folder.

    Raises: CheckpointError if they do not verify or do not fit.
    """
    try:
        net.load_state_dict(weights(folder))
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder / MODEL}: does not fit the net that its configuration describes: {error}"
        ) from error


def weights_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 of the weights in a model folder; of an ensemble, over those of its members."""
    digests = [digest for name, digest in sorted(manifest["files"].items()) if name.endswith(MODEL)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
