"""Which files each data set has, byte for byte, and how they come to be in the data folder.

A file is in the data folder whole and verified, or not at all. Sources: the digests were derived from copies whose
content was checked against the published counts (docs/results.md); MNIST's are those of the official files.
"""

import fcntl
import gzip
import hashlib
import os
import re
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
            self._install(Path(address), wanted)
            return
        # Named by the whole address: another mirror may have packed the same content into other bytes.
        unique = hashlib.sha256(address.encode()).hexdigest()[:8]
        partial = self.cache_dir / "partial" / f"{unique}-{_file_name(address)}"
        limit = ARCHIVE_BYTES if _is_archive(address) else wanted[0].bytes + CHUNK
        for last in (False, True):
            resumed = fetch(address, partial, limit=limit, ends_at=self.ends_at, progress=self.progress)
            try:
                self._install(partial, wanted)
                partial.unlink()
                return
            except Refused as error:
                if last or not resumed:
                    raise Refused(f"{error}; set aside as {self._set_aside(partial)}") from error
                partial.unlink()

    def _install(self, source: Path, wanted: list[DataFile]) -> None:
        """Write the wanted files that an archive, or one file plain or gzip, holds."""
        if not source.is_file():
            raise Refused("not there")
        if _is_archive(source.name):
            from pipeline.data.raw import json_lines, read_reviews

            self.progress(source.name, 0, source.stat().st_size)
            try:
                reviews = read_reviews(source)
            except DataError as error:
                raise Refused(str(error)) from error
            contents = {f"{self.name}/{split}.jsonl": json_lines(rows) for split, rows in reviews.items()}
        else:
            contents = {wanted[0].path: _plain(source)}
        problems = []
        for file in wanted:
            try:
                self._write(file, contents[file.path])
            except Refused as error:
                problems.append(str(error))
        if problems:
            raise Refused("; ".join(problems))

    def _write(self, file: DataFile, chunks: Iterator[bytes]) -> None:
        """Write one file aside, compare, and move it to its place."""
        aside, target = self.cache_dir / "partial" / f"{Path(file.path).name}.new", self.data_dir / file.path
        sha256, size = hashlib.sha256(), 0
        try:
            with writing(aside, file.bytes), aside.open("wb") as out:
                for chunk in chunks:
                    shown, size = size // CHUNK, size + len(chunk)
                    if size > file.bytes:
                        raise Refused(f"{file.path}: expected {file.bytes:,} bytes, got more")
                    sha256.update(chunk)
                    out.write(chunk)
                    if size // CHUNK > shown or size == file.bytes:
                        self.progress(file.path, size, file.bytes)
                out.flush()
                os.fsync(out.fileno())
            if (size, sha256.hexdigest()) != (file.bytes, file.sha256):
                raise Refused(_difference(file, (size, sha256.hexdigest())))
            with writing(target, file.bytes):
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(aside, target)
        finally:
            aside.unlink(missing_ok=True)
        self.missing.remove(file)

    def _set_aside(self, path: Path) -> Path:
        kept = self.cache_dir / "set-aside" / f"{path.name}-{time.time_ns()}"
        with writing(kept, 0):
            kept.parent.mkdir(parents=True, exist_ok=True)
            _move(path, kept)
        return kept


def _move(source: Path, target: Path) -> None:
    """Rename, and make the new name survive a power cut."""
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _plain(source: Path) -> Iterator[bytes]:
    """The content of a file that may be gzip, whatever its name."""
    try:
        with source.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            while chunk := stream.read(CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"can't be read whole ({type(error).__name__})") from error


def _file_name(address: str) -> str:
    path = re.split(r"[?#]", address)[0] if is_http(address) else address
    return path.rpartition("/")[2][-64:]


def _is_archive(address: str) -> bool:
    return _file_name(address).endswith((".tar.gz", ".tgz"))


def _routes(name: str, mirror: str) -> Iterator[tuple[str, tuple[DataFile, ...]]]:
    """The addresses to try under a mirror, best first, with the files each would give."""
    if mirror.lower().startswith("file:"):
        mirror = url2pathname(urlsplit(mirror).path)
    elif not is_http(mirror) and "://" in mirror:
        raise Refused("expected a folder, an archive, or a file: or http(s) address")
    base = mirror.rstrip("/") if is_http(mirror) else str(Path(mirror).expanduser())
    if _is_archive(base):
        if not ARCHIVES[name]:
            raise Refused(f"an archive, but {name} comes as single files")
        yield base, FILES[name]
        return
    folders = (f"{base}/{name}", base)
    for folder in folders:
        for archive in ARCHIVES[name]:
            yield f"{folder}/{archive}", FILES[name]
    for file in FILES[name]:
        for folder in folders:
            for ending in (".gz", ""):
                yield f"{folder}/{Path(file.path).name}{ending}", (file,)
