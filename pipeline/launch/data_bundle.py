"""The data's bytes on every node: the driver names them by digest, a node trains on those or not at all.

What fits travels once through Ray's object store into a cache on each node that does not hold it; what does not is
read from a folder that the nodes share.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from pipeline.data import store
from pipeline.data.mirrors import DataFile, bulleted, describe_mismatch, mismatched
from pipeline.errors import DataError
from pipeline.files import atomic_write, file_lock

LARGEST_BYTES = 1 << 30  # of a data set that travels; Ray keeps a copy of it on each node


@dataclass(frozen=True, slots=True)
class DataBundle:
    """The files that a run's data consists of; with their contents (object references) if they travel."""

    name: str
    digest: str
    files: tuple[DataFile, ...]  # none for what packages carry or programs draw
    contents: tuple[Any, ...] = ()


def pack(name: str, digest: str, data_dir: Path, *, send: bool) -> DataBundle:
    """Name a run's data on the driver, where it has been verified; `send` puts it into the object store."""
    files = store.FILES.get(name, ())
    if not send or sum(file.bytes for file in files) > LARGEST_BYTES:
        return DataBundle(name, digest, files)
    return DataBundle(name, digest, files, tuple(ray.put((data_dir / file.path).read_bytes()) for file in files))


def unpack(parcel: DataBundle, data_dir: Path) -> Path:
    """The folder on this node that holds exactly the bytes that the driver named: `data_dir` or a cache.

    Raises: DataError if neither does and the data did not travel.
    """
    differing = mismatched(parcel.files, data_dir)
    if not differing:
        return data_dir
    if not parcel.contents:
        raise DataError(
            f"{data_dir} on {os.uname().nodename}: not the {parcel.name} that the run was promised, and too large to "
            "send. Put the project on a folder that all nodes share."
            + bulleted(describe_mismatch(file, found) for file, found in differing)
        )
    cache = _cache_dir() / parcel.digest
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / ".lock"):  # one copy a node, however many of its workers ask
        _fill(cache, parcel, [file for file, _ in mismatched(parcel.files, cache)])
    return cache


def _fill(cache: Path, parcel: DataBundle, missing: Sequence[DataFile]) -> None:
    for file, content in zip(parcel.files, parcel.contents, strict=True):
        if file in missing:
            path = cache / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, ray.get(content))
    if still := mismatched(parcel.files, cache):
        raise DataError(
            f"{cache}: what the driver sent is not what it named. Run `pipeline data verify {parcel.name}` there."
            + bulleted(describe_mismatch(file, found) for file, found in still)
        )


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lecture-pipeline" / "data"
