"""Registry of the data sets' files with size and SHA-256; `pull` fetches them, `verify` checks them.

MNIST's digests are those of the official files, decompressed. The reviews' are those of this project's canonical form,
derived from an archive whose counts, ratings and total lengths are the published ones.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.data.download import Progress, writing
from pipeline.data.mirrors import DataFile, Inventory, Pull, bulleted, describe_mismatch, mismatched
from pipeline.errors import DataError
from pipeline.files import LockHeldError, file_lock

__all__ = ["ARCHIVES", "FILES", "PUBLIC", "DataFile", "digest", "pull", "verify"]

FILES: dict[str, tuple[DataFile, ...]] = {
    "mnist": (
        DataFile(
            "mnist/train-images-idx3-ubyte",
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        DataFile(
            "mnist/train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        DataFile(
            "mnist/t10k-images-idx3-ubyte",
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        DataFile(
            "mnist/t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    ),
    "imdb": (
        DataFile("imdb/train.jsonl", 34_656_238, "27ab2467b820e2fae24032c8973809c10e7827123e43e01ca6fde5431cf7ee6c"),
        DataFile("imdb/test.jsonl", 33_874_569, "8c30a327ecfcdb937dfef527298e7ecfe5ab9825086981b4decad76f93b78bb7"),
        DataFile("imdb/unsup.jsonl", 69_331_050, "caceb5a9d3a1a821d0de4cb1f72aab78d06fd7fe61f42f71a0737dc1de5c7df4"),
    ),
    "dogs-vs-cats": (
        DataFile(
            "dogs-vs-cats/dogs-vs-cats-2000.tar",
            14_540_800,
            "32ba1529a1ae0984cf74dc3651f5162a17d1023b32bc7a9fc4f7881aae70d13b",
        ),
    ),
}
PUBLIC = {
    "mnist": ("https://storage.googleapis.com/cvdf-datasets", "https://ossci-datasets.s3.amazonaws.com"),
    "imdb": ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
    "dogs-vs-cats": (),  # the lecture's repository has single pictures; a mirror must hold the archive
}
ARCHIVES: dict[str, tuple[str, ...]] = {
    "mnist": (),
    "imdb": ("aclImdb.tar.gz", "aclImdb_v1.tar.gz"),
    "dogs-vs-cats": (),
}


def digest(name: str) -> str:
    """The data set's digest: SHA-256 over its files' sorted "sha256  path" lines."""
    lines = sorted(f"{file.sha256}  {file.path}\n" for file in _files(name))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(name: str, data_dir: Path) -> None:
    """Check every file of a data set by size and SHA-256.

    Raises: DataError naming each file that is missing or wrong.
    """
    problems = mismatched(_files(name), data_dir)
    if problems:
        raise DataError(
            f"{data_dir}: {len(problems)} of {len(FILES[name])} files of {name} are missing or wrong. "
            f"Run `pipeline data pull {name}`." + bulleted(describe_mismatch(file, found) for file, found in problems)
        )


def needs_mirror(name: str, data_dir: Path) -> bool:
    """Whether a data set is absent and no public address has it: then it is no fault that it is missing."""
    return not PUBLIC[name] and not any((data_dir / file.path).exists() for file in _files(name))


def pull(
    name: str,
    data_dir: Path,
    *,
    cache_dir: Path,
    mirror: str | None,
    progress: Progress,
    deadline_s: float = 600,
) -> str:
    """Fetch and verify a data set in `data_dir`; returns where it came from.

    `mirror` is a folder, an archive, or a file: or http(s) address of either; the public addresses come after it.
    `cache_dir`, on the same file system, holds partial downloads and wrong files set aside.

    Raises: DataError that lists the attempts.
    """
    if not mismatched(_files(name), data_dir):
        return "already there"
    ends_at = time.monotonic() + deadline_s
    with _alone(cache_dir, ends_at):
        data = Inventory(name, FILES[name], ARCHIVES[name], PUBLIC[name])
        return Pull(data, data_dir, cache_dir, progress, ends_at).run(mirror)


def _files(name: str) -> tuple[DataFile, ...]:
    if name not in FILES:
        raise DataError(f"data set {name!r}: expected one of {', '.join(FILES)}. Choose one of them.")
    return FILES[name]


@contextmanager
def _alone(cache_dir: Path, ends_at: float) -> Iterator[None]:
    """Hold the lock on the cache: two pulls would write the same partial files."""
    path = cache_dir / "pull.lock"
    with writing(path, 0):
        (cache_dir / "partial").mkdir(parents=True, exist_ok=True)
        path.touch()
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path, max(0, ends_at - time.monotonic())))
        except LockHeldError as error:
            raise DataError(f"{path}: another pull holds it. Wait for that one, then pull again.") from error
        yield
