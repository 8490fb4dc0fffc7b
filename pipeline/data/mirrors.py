"""Fetch the files of a data set from mirrors into the data folder, verified and atomically."""

import gzip
import hashlib
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from pipeline.data.download import (
    CHUNK,
    FetchFailed,
    MirrorDown,
    Progress,
    fetch,
    is_http,
    redacted,
    remaining_s,
    writing,
)
from pipeline.errors import DataError
from pipeline.files import fsync, move, sha256, temporary

ARCHIVE_BYTES = 256 << 20  # the official archive of reviews has 84 MB


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set, in its canonical form."""

    path: str  # relative to the data folder
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Files of a data set and the mirrors that hold them."""

    name: str
    files: tuple[DataFile, ...]
    archives: tuple[str, ...]  # names of an archive that holds all of the files in another form
    public: tuple[str, ...]  # mirrors


def mismatched(files: Iterable[DataFile], data_dir: Path) -> list[tuple[DataFile, tuple[int, str] | None]]:
    """Files that do not verify, each with the size and SHA-256 found, or None if it is missing."""
    found = [(file, _measure(data_dir / file.path)) for file in files]
    return [(file, measured) for file, measured in found if measured != (file.bytes, file.sha256)]


def _measure(path: Path) -> tuple[int, str] | None:
    try:
        return path.stat().st_size, sha256(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}). Move it away or make it readable.") from error


def describe_mismatch(file: DataFile, found: tuple[int, str] | None) -> str:
    """Expected and actual size and digest, as text."""
    got = f"got {found[0]:,} bytes with {found[1]}" if found else "it is missing"
    return f"{file.path}: expected {file.bytes:,} bytes with SHA-256 {file.sha256}, {got}"


def bulleted(lines: Iterable[str]) -> str:
    """Lines of an indented list that follows a heading."""
    return "".join(f"\n  {line}" for line in lines)


class Pull:
    """A pull of one data set into `data_dir`: the files still missing and the attempts so far."""

    def __init__(self, data: Inventory, data_dir: Path, cache_dir: Path, progress: Progress, ends_at: float) -> None:
        self.data, self.data_dir, self.cache_dir = data, data_dir, cache_dir
        self.progress, self.ends_at = progress, ends_at
        self.missing: list[DataFile] = []
        self.attempts: list[str] = []

    def run(self, mirror: str | None) -> str:
        """Fetch missing files from `mirror`, then from the public mirrors; returns where they came from.

        Raises: DataError that lists the attempts.
        """
        for file, found in mismatched(self.data.files, self.data_dir):
            self.missing.append(file)
            if found:
                moved_to = self._set_aside(self.data_dir / file.path)
                self.attempts.append(f"{self.data_dir}: {describe_mismatch(file, found)}; set aside as {moved_to}")
                self.progress(self.attempts[-1], found[0], file.bytes)
        origins = []
        for base in filter(None, (mirror, *self.data.public)):
            before = len(self.missing)
            if before:
                self._from_mirror(base)
            if len(self.missing) < before:
                origins.append(redacted(base))
        if self.missing:
            raise DataError(
                f"{self.data_dir}: {len(self.missing)} files of {self.data.name} could not be fetched. "
                "Set PIPELINE_DATA_MIRROR to a folder or URL that holds them, or run "
                f"`pipeline data pull {self.data.name}` when the network is back. Tried:" + bulleted(self.attempts)
            )
        return " and ".join(origins) or "already there"

    def _from_mirror(self, base: str) -> None:
        address = base
        try:
            for address, files in routes(self.data, base):
                wanted = [file for file in files if file in self.missing]
                try:
                    if wanted:
                        remaining_s(self.ends_at)
                        self._from_address(address, wanted)
                except MirrorDown:
                    raise
                except FetchFailed as error:
                    self.attempts.append(f"{redacted(address)}: {error}")
        except FetchFailed as error:  # MirrorDown, or an address that is not a mirror
            self.attempts.append(f"{redacted(address)}: {error}")

    def _from_address(self, address: str, wanted: list[DataFile]) -> None:
        """Install the wanted files from one address: an archive of all of them, or a single file.

        Raises: FetchFailed or MirrorDown if one could not be installed.
        """
        if not is_http(address):
            self._install(Path(address), wanted)
            return
        # Named by the whole address: another mirror may compress the same content to other bytes.
        unique = hashlib.sha256(address.encode()).hexdigest()[:8]
        partial = self.cache_dir / "partial" / f"{unique}-{_file_name(address)}"
        limit = ARCHIVE_BYTES if _is_archive(address) else wanted[0].bytes + CHUNK
        for last in (False, True):
            resumed = fetch(address, partial, limit=limit, ends_at=self.ends_at, progress=self.progress)
            try:
                self._install(partial, wanted)
                partial.unlink()
                return
            except FetchFailed as error:
                if last or not resumed:
                    raise FetchFailed(f"{error}; set aside as {self._set_aside(partial)}") from error
                partial.unlink()

    def _install(self, source: Path, wanted: list[DataFile]) -> None:
        """Write the wanted files from an archive, or from one plain or gzip file."""
        if not source.is_file():
            raise FetchFailed("does not exist")
        if self.data.archives and _is_archive(source.name):
            from pipeline.data.texts.reviews import json_lines, read_reviews

            self.progress(source.name, 0, source.stat().st_size)
            try:
                reviews = read_reviews(source)
            except DataError as error:
                raise FetchFailed(str(error)) from error
            contents = {f"{self.data.name}/{split}.jsonl": json_lines(rows) for split, rows in reviews.items()}
        else:
            contents = {wanted[0].path: _plain(source)}
        problems = []
        for file in wanted:
            try:
                self._write(file, contents[file.path])
            except FetchFailed as error:
                problems.append(str(error))
        if problems:
            raise FetchFailed("; ".join(problems))

    def _write(self, file: DataFile, chunks: Iterator[bytes]) -> None:
        """Write a file under a temporary name, verify it, and move it to its place."""
        target = self.data_dir / file.path
        with temporary(self.cache_dir / "partial" / Path(file.path).name) as aside:
            with writing(aside, file.bytes):
                found = self._save(file, chunks, aside)
                fsync(aside)
            if found != (file.bytes, file.sha256):
                raise FetchFailed(describe_mismatch(file, found))
            with writing(target, file.bytes):
                target.parent.mkdir(parents=True, exist_ok=True)
                move(aside, target)
        self.missing.remove(file)

    def _save(self, file: DataFile, chunks: Iterator[bytes], aside: Path) -> tuple[int, str]:
        """Write chunks, at most the file's size; returns their size and SHA-256."""
        digest, size = hashlib.sha256(), 0
        with aside.open("wb") as out:
            for chunk in chunks:
                shown, size = size // CHUNK, size + len(chunk)
                if size > file.bytes:
                    raise FetchFailed(f"{file.path}: expected {file.bytes:,} bytes, got more")
                digest.update(chunk)
                out.write(chunk)
                if size // CHUNK > shown or size == file.bytes:
                    self.progress(file.path, size, file.bytes)
        return size, digest.hexdigest()

    def _set_aside(self, path: Path) -> Path:
        kept = self.cache_dir / "set-aside" / f"{path.name}-{time.time_ns()}"
        with writing(kept, 0):
            kept.parent.mkdir(parents=True, exist_ok=True)
            move(path, kept)
        return kept


def _plain(source: Path) -> Iterator[bytes]:
    """Content of a file, decompressed if it is gzip (by its magic bytes, not its name)."""
    try:
        with source.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            while chunk := stream.read(CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise FetchFailed(f"can't be read to its end ({type(error).__name__})") from error


def _file_name(address: str) -> str:
    path = re.split(r"[?#]", address)[0] if is_http(address) else address
    return path.rpartition("/")[2][-64:]


def _is_archive(address: str) -> bool:
    return _file_name(address).endswith((".tar.gz", ".tgz"))


def routes(data: Inventory, mirror: str) -> Iterator[tuple[str, tuple[DataFile, ...]]]:
    """Addresses to try under a mirror, best first, each with the files it would hold.

    Raises: FetchFailed for an address that can't be a mirror.
    """
    if is_http(mirror):
        base = mirror.rstrip("/")
    elif mirror.lower().startswith("file:"):
        base = unquote(re.sub(r"^.{5}(//[^/]*)?", "", mirror)).rstrip("/")
    elif "://" in mirror:
        raise FetchFailed("expected a folder, an archive, or a file: or http(s) address")
    else:
        base = str(Path(mirror).expanduser())
    if _is_archive(base):
        if not data.archives:
            raise FetchFailed(f"an archive, but {data.name} comes as single files")
        yield base, data.files
        return
    folders = (f"{base}/{data.name}", base)
    yield from ((f"{folder}/{archive}", data.files) for folder in folders for archive in data.archives)
    for file in data.files:
        for folder in folders:
            for ending in (".gz", ""):
                yield f"{folder}/{Path(file.path).name}{ending}", (file,)
