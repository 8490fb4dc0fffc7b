"""A data set's bytes on every node: a node trains on the bytes with the driver's digests, or fails.

Up to `MAX_BYTES` are sent once through Ray's object store into a cache on each node that lacks them; a larger data set
is read from a folder that the nodes share.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ray

from pipeline.data import store
from pipeline.data.mirrors import DataFile, bulleted, describe_mismatch, mismatched
from pipeline.errors import DataError
from pipeline.files import atomic_write, file_lock

MAX_BYTES = 1 << 30  # of a data set that is sent; Ray stores a copy on each node


@dataclass(frozen=True, slots=True)
class DataBundle:
    """The files of a run's data, with their contents (object references) if they are sent."""

    name: str
    digest: str
    files: tuple[DataFile, ...]  # () for data that packages contain or programs generate
    contents: "tuple[ray.ObjectRef, ...]" = ()


def pack(name: str, digest: str, data_dir: Path, *, send: bool) -> DataBundle:
    """Describe a run's verified data on the driver; `send` puts its bytes into the object store."""
    files = store.FILES.get(name, ())
    if not send or sum(file.bytes for file in files) > MAX_BYTES:
        return DataBundle(name, digest, files)
    return DataBundle(name, digest, files, tuple(ray.put((data_dir / file.path).read_bytes()) for file in files))


def unpack(bundle: DataBundle, data_dir: Path) -> Path:
    """The folder on this node that holds exactly the bundle's bytes: `data_dir` or a cache.

    Raises: DataError if neither does and the bytes were not sent.
    """
    differing = mismatched(bundle.files, data_dir)
    if not differing:
        return data_dir
    if not bundle.contents:
        raise DataError(
            f"{data_dir} on {os.uname().nodename}: does not hold the {bundle.name} of the driver, which is too large "
            "to send. Put the project on a folder that all nodes share."
            + bulleted(describe_mismatch(file, found) for file, found in differing)
        )
    cache = cache_dir() / "data" / bundle.digest
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / ".lock"):  # one copy a node, whatever the number of its workers
        _fill(cache, bundle, [file for file, _ in mismatched(bundle.files, cache)])
    return cache


def _fill(cache: Path, bundle: DataBundle, missing: Sequence[DataFile]) -> None:
    for file, content in zip(bundle.files, bundle.contents, strict=True):
        if file in missing:
            path = cache / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, ray.get(content))
    if still := mismatched(bundle.files, cache):
        raise DataError(
            f"{cache}: the bytes that were sent differ from the driver's digests. Run "
            f"`pipeline data verify {bundle.name}` there."
            + bulleted(describe_mismatch(file, found) for file, found in still)
        )


def cache_dir() -> Path:
    """This node's cache of what drivers sent."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lecture-pipeline"
