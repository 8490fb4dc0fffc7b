"""Checkpoints and models: folders that are whole or absent, sealed with a manifest of the SHA-256 of each file.

Reading verifies every byte first and unpickles nothing but tensors and plain containers.
"""

import errno
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Unpack

from pipeline import files
from pipeline.config import METRICS, SOURCE_KEYS, Config
from pipeline.errors import CheckpointError
from pipeline.files import sha256 as sha256  # its callers read checkpoint.sha256
from pipeline.types import CheckpointFacts, Manifest

if TYPE_CHECKING:  # verbs that read manifests do not import torch
    from torch import Tensor, nn

T = TypeVar("T")

MANIFEST = "manifest.json"
STATE = "state.ckpt"
MODEL = "model.safetensors"
CONFIG = "config.json"
INIT_FROM, TEACHER = "init_from", "teacher"  # folders of a run: the model it starts from, its teacher's predictions
FORMER = {INIT_FROM: "start", TEACHER: "taught"}  # what older runs call them


def publish(folder: Path, write: Callable[[Path], None], **facts: Unpack[CheckpointFacts]) -> Path:
    """Make `folder` appear at once, with the files that `write` puts into the folder it receives, and a manifest.

    `facts` (step, digests, …) go into the manifest. An existing folder is replaced.

    Raises: CheckpointError if the disk refuses; what was there before stays.
    """

    def seal(aside: Path) -> None:
        write(aside)
        _seal(aside, facts)

    return _atomic(folder, seal)


def copy(source: Path, folder: Path, extra: dict[str, bytes] | None = None) -> Path:
    """Publish a verified folder once more, somewhere else, byte for byte; `extra` files are added to its manifest.

    Raises: CheckpointError if it does not verify, or the disk refuses the copy.
    """

    def duplicate(place: Path) -> Path:
        def write(aside: Path) -> None:
            shutil.copytree(place, aside, dirs_exist_ok=True)
            facts = _verify(aside, source)
            if extra:
                for name, content in extra.items():
                    (aside / name).write_bytes(content)
                _seal(aside, facts)

        return _atomic(folder, write)

    return files.read_folder(source, duplicate)


def _seal(folder: Path, facts: CheckpointFacts) -> None:
    """Write the manifest of a folder's files."""
    digests = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    digests.pop(MANIFEST, None)
    (folder / MANIFEST).write_text(json.dumps({**facts, "files": digests}, indent=1, sort_keys=True) + "\n")


def _atomic(folder: Path, write: Callable[[Path], None]) -> Path:
    try:
        return files.atomic_folder(folder, write)
    except files.WriteError as error:
        place = next(parent for parent in folder.parents if parent.exists())
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        step = "Make room" if full else "Make that folder writable"
        raise CheckpointError(
            f"{folder}: {error.strerror} after {error.written:,} bytes ({shutil.disk_usage(place).free:,} free "
            f"now). The former content is kept. {step}, then `pipeline resume`."
        ) from error


def verify(folder: Path) -> Manifest:
    """The manifest of a folder all of whose files are what was written; nothing is changed.

    Raises: CheckpointError naming the file that is missing or changed.
    """
    return read(folder, lambda _, manifest: manifest)


def read(folder: Path, load: Callable[[Path, Manifest], T]) -> T:
    """The result of `load(place, manifest)`, where `place` holds the verified folder, whole even while it is replaced.

    Raises: CheckpointError naming the file that is missing or changed.
    """
    return files.read_folder(folder, lambda place: load(place, _verify(place, folder)))


def _verify(place: Path, folder: Path) -> Manifest:
    """The manifest of the folder at `place`; errors name `folder`."""
    try:
        manifest: Manifest = json.loads((place / MANIFEST).read_text())
        digests = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / MANIFEST}: missing or torn ({error}). Use another checkpoint or train again."
        ) from error
    for name, expected in digests.items():
        try:
            found = sha256(place / name)
        except OSError as error:
            found = "no file" if isinstance(error, FileNotFoundError | IsADirectoryError) else str(error.strerror)
        if found != expected:
            raise CheckpointError(
                f"{folder / name}: expected SHA-256 {expected}, got {found}. Use another checkpoint or train again."
            )
    return manifest


def parent_folder(run_dir: Path, name: str) -> Path:
    """The folder `name` (INIT_FROM or TEACHER) of a run, under the name that the run gave it."""
    former = run_dir / FORMER[name]
    return former if former.exists() else run_dir / name


def newest(parent: Path) -> Path | None:
    """The latest checkpoint under `parent` that verifies; torn ones are skipped."""
    for folder in sorted(parent.glob("step-*"), reverse=True):
        try:
            verify(folder)
        except CheckpointError:
            continue
        return folder
    return None


def prune(parent: Path, keep: int) -> None:
    """Remove all but the latest `keep` checkpoints and the best, and the remains of crashes."""
    files.recover(parent)
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


def save_config(config: Config, labels: Sequence[str], folder: Path) -> None:
    """Write the configuration that rebuilds a model and names its data, without the source of that data."""
    kept = {key: config[key] for key in ("name", "seed", "data", "model", "requires")}
    kept["data"] = {key: value for key, value in kept["data"].items() if key not in SOURCE_KEYS}
    kept |= {METRICS: config[METRICS]} if config.get(METRICS) else {}
    (folder / CONFIG).write_text(json.dumps({**kept, "labels": labels}, indent=1) + "\n")


def save_weights(net: "nn.Module", path: Path) -> None:
    """A module's parameters and buffers as safetensors."""
    save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}, path)


def save_tensors(tensors: "Mapping[str, Tensor]", path: Path) -> None:
    """Write named tensors as a safetensors file."""
    from safetensors.torch import save_file

    save_file(tensors, path)


def weights(folder: Path) -> "dict[str, Tensor]":
    """The tensors of a folder, by name.

    Raises: CheckpointError if it does not verify.
    """
    from safetensors.torch import load_file

    def load(place: Path, _: Manifest) -> "dict[str, Tensor]":
        tensors: dict[str, Tensor] = load_file(place / MODEL)
        return tensors

    return read(folder, load)


def load_weights(net: "nn.Module", folder: Path) -> None:
    """Fill a module with the weights of a verified model folder.

    Raises: CheckpointError if they do not verify or do not fit.
    """
    try:
        net.load_state_dict(weights(folder))
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder / MODEL}: does not fit the net of its configuration ({error}). Train again."
        ) from error


def weights_digest(manifest: Manifest) -> str:
    """SHA-256 of the weights in a model folder; of an ensemble, over those of its members."""
    return digest_of_weights(manifest["files"])


def digest_of_weights(files: dict[str, str]) -> str:
    """SHA-256 of the weights among the files of a model folder, given by their names with their own SHA-256."""
    digests = [digest for name, digest in sorted(files.items()) if name.endswith(MODEL)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
