"""Which files each data set has, byte for byte, and how they come to be in the data folder.

A file is in the data folder whole and verified, or not at all. Sources: the digests were derived from copies whose
content was checked against the published counts (docs/results.md); MNIST's are those of the official files.
"""

import fcntl
import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.data.download import CHUNK, Down, Progress, Refused, fetch, is_http, redacted, remaining_s, writing
from pipeline.errors import DataError


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set, in its canonical form."""

    path: str  # relative to the data folder
    bytes: int
    sha256: str


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
}
PUBLIC = {
    "mnist": ("https://storage.googleapis.com/cvdf-datasets", "https://ossci-datasets.s3.amazonaws.com"),
    "imdb": ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
}
ARCHIVES: dict[str, tuple[str, ...]] = {"mnist": (), "imdb": ("aclImdb.tar.gz", "aclImdb_v1.tar.gz")}
ARCHIVE_BYTES = 256 << 20  # the official archive has 84 MB


def digest(name: str) -> str:
    """The data set's digest: SHA-256 over its files' sorted "sha256  path" lines."""
    lines = sorted(f"{file.sha256}  {file.path}\n" for file in _files(name))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify(name: str, data_dir: Path) -> None:
    """Read every file of a data set and compare.

    Raises: DataError naming each file that is missing or wrong.
    """
    wrong = _wrong(name, data_dir)
    if wrong:
        raise DataError(
            f"{data_dir}: {len(wrong)} of {len(FILES[name])} files of {name} are missing or wrong. "
            f"Run `pipeline data pull {name}`." + _listed(_difference(file, found) for file, found in wrong)
        )


def pull(
    name: str,
    data_dir: Path,
    *,
    cache_dir: Path,
    mirror: str | None,
    progress: Progress,
    deadline_s: float = 600,
) -> str:
    """Make a data set complete and verified in `data_dir`; where it came from, in a few words.

    `mirror` is a folder, an archive, or a file: or http(s) address of either; the public addresses come after it.
    `cache_dir`, on the same file system, holds partial downloads and wrong files set aside.

    Raises: DataError that lists what was tried.
    """
    if not _wrong(name, data_dir):
        return "already there"
    ends_at = time.monotonic() + deadline_s
    with _alone(cache_dir, ends_at):
        return _Pull(name, data_dir, cache_dir, progress, ends_at).run(mirror)


def _files(name: str) -> tuple[DataFile, ...]:
    if name not in FILES:
        raise DataError(f"data set {name!r}: expected one of {', '.join(FILES)}. Choose one of them.")
    return FILES[name]


def _wrong(name: str, data_dir: Path) -> list[tuple[DataFile, tuple[int, str] | None]]:
    """The files that do not verify, each with its size and digest, or None if it is missing."""
    found = [(file, _measure(data_dir / file.path)) for file in _files(name)]
    return [(file, measured) for file, measured in found if measured != (file.bytes, file.sha256)]


def _measure(path: Path) -> tuple[int, str] | None:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}). Move it away or make it readable.") from error


def _difference(file: DataFile, found: tuple[int, str] | None) -> str:
    got = f"got {found[0]:,} bytes with {found[1]}" if found else "it is missing"
    return f"{file.path}: expected {file.bytes:,} bytes with SHA-256 {file.sha256}, {got}"


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)


@contextmanager
def _alone(cache_dir: Path, ends_at: float) -> Iterator[None]:
    """Wait for any other pull with this cache: two would write the same partial files."""
    path = cache_dir / "pull.lock"
    with writing(path, 0):
        (cache_dir / "partial").mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > ends_at:
                    raise DataError(f"{path}: another pull holds it. Wait for that one, then pull again.") from error
                time.sleep(0.1)
        yield


class _Pull:
    """One pull: what is still missing, and what was tried for it."""

    def __init__(self, name: str, data_dir: Path, cache_dir: Path, progress: Progress, ends_at: float) -> None:
        self.name, self.data_dir, self.cache_dir = name, data_dir, cache_dir
        self.progress, self.ends_at = progress, ends_at
        self.missing: list[DataFile] = []
        self.tried: list[str] = []

    def run(self, mirror: str | None) -> str:
        for file, found in _wrong(self.name, self.data_dir):
            self.missing.append(file)
            if found:
                kept = self._set_aside(self.data_dir / file.path)
                self.tried.append(f"{self.data_dir}: {_difference(file, found)}; set aside as {kept}")
                self.progress(self.tried[-1], found[0], file.bytes)
        origins = []
        for base in filter(None, (mirror, *PUBLIC[self.name])):
            before = len(self.missing)
            if before:
                self._from_mirror(base)
            if len(self.missing) < before:
                origins.append(redacted(base))
        if self.missing:
            raise DataError(
                f"{self.data_dir}: {len(self.missing)} of {len(FILES[self.name])} files of {self.name} can't be had. "
                "Set PIPELINE_DATA_MIRROR to a folder or URL that holds them, or run "
                f"`pipeline data pull {self.name}` when the network is back. Tried:" + _listed(self.tried)
            )
        return " and ".join(origins) or "already there"

    def _from_mirror(self, base: str) -> None:
        shown = redacted(base)
        try:
            for address, files in _routes(self.name, base):
                shown = redacted(address)
                wanted = [file for file in files if file in self.missing]
                try:
                    if wanted:
                        remaining_s(self.ends_at)
                        self._from_address(address, wanted)
                except Down:
                    raise
                except Refused as error:
                    self.tried.append(f"{shown}: {error}")
        except Refused as error:
            self.tried.append(f"{shown}: {error}")

    def _from_address(self, address: str, wanted: list[DataFile]) -> None:
        """Install the wanted files from one address, which holds all of them (an archive) or the only one.

        Raises: Refused or Down if one could not be installed.
        """
        if not is_http(address):
            return self._install(Path(address), wanted)
        unique = hashlib.sha256(address.encode()).hexdigest()[:8]
        partial = self.cache_dir / "partial" / f"{unique}-{urlsplit(address).path.rpartition('/')[2]}"
        limit = ARCHIVE_BYTES if _is_archive(address) else wanted[0].bytes + CHUNK
        for last in (False, True):
            resumed = fetch(address, partial, limit=limit, ends_at=self.ends_at, progress=self.progress)
            try:
                self._install(partial, wanted)
            except Refused as error:
                if last or not resumed:
                    raise Refused(f"{error}; set aside as {self._set_aside(partial)}") from error
            finally:
                partial.unlink(missing_ok=True)
        return None

    def _install(self, source: Path, wanted: list[DataFile]) -> None:
        """Put the wanted files that a local file holds into the data folder, each verified first.

        Raises: Refused if it holds other bytes, or can't be read.
        """
        if not source.is_file():
            raise Refused("no such file")
        if _is_archive(source.name):
            from pipeline.data.raw import json_lines, read_reviews

            try:
                rows = read_reviews(source)
            except DataError as error:
                raise Refused(str(error)) from error
            for file in wanted:
                self._write(file, json_lines(rows[Path(file.path).stem]))
        else:
            self._write(wanted[0], _plain_chunks(source, wanted[0].bytes))

    def _write(self, file: DataFile, chunks: Iterable[bytes]) -> None:
        """Write one file aside, and rename it into the data folder if its bytes are the promised ones."""
        aside, target = self.cache_dir / "partial" / f"{Path(file.path).name}.new", self.data_dir / file.path
        digest, size, told = hashlib.sha256(), 0, 0
        try:
            with writing(aside, file.bytes), aside.open("wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    if size - told >= CHUNK or size == file.bytes:
                        told = size
                        self.progress(f"writing {file.path}", size, file.bytes)
                out.flush()
                os.fsync(out.fileno())
            if (found := (size, digest.hexdigest())) != (file.bytes, file.sha256):
                raise Refused(_difference(file, found))
            with writing(target, file.bytes):
                target.parent.mkdir(parents=True, exist_ok=True)
                aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        self.missing.remove(file)

    def _set_aside(self, path: Path) -> Path:
        """Move a wrong file out of the way, under a name of its own."""
        folder = self.cache_dir / "set-aside"
        with writing(folder, 0):
            folder.mkdir(parents=True, exist_ok=True)
            kept = next(p for n in count() if not (p := folder / f"{path.name}.{n}").exists())
            path.replace(kept)
        return kept


def _plain_chunks(source: Path, expected: int) -> Iterator[bytes]:
    """A file's content, unpacked if it is gzip; never more than a little over the bytes expected."""
    try:
        with source.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if zipped else raw
            given = 0
            while given <= expected and (chunk := stream.read(CHUNK)):
                given += len(chunk)
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"not a whole gzip file ({error})") from error


def _is_archive(address: str) -> bool:
    return urlsplit(address).path.endswith((".tar.gz", ".tgz"))


def _routes(name: str, base: str) -> Iterator[tuple[str, tuple[DataFile, ...]]]:
    """Where a mirror may hold the files: addresses, each with the files it would give.

    A mirror is a folder, one archive or file, or a file: or http(s) address of either.
    """
    if base.lower().startswith("file:"):
        base = url2pathname(urlsplit(base).path)
    files, base = FILES[name], base.rstrip("/")
    if _is_archive(base):
        if ARCHIVES[name]:
            yield base, files
        return
    if not is_http(base) and Path(base).is_file():
        stem = Path(base).name.removesuffix(".gz")
        yield from ((base, (file,)) for file in files if Path(file.path).name == stem)
        return
    for archive in ARCHIVES[name]:
        for folder in (f"{base}/{name}", base):
            yield f"{folder}/{archive}", files
    for file in files:
        for path in (file.path, Path(file.path).name):
            yield from ((f"{base}/{path}{suffix}", (file,)) for suffix in (".gz", ""))
