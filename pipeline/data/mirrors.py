"""A data set's files from wherever a mirror holds them, into the data folder: whole and verified, or not at all."""

import gzip
import hashlib
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from pipeline.data.download import CHUNK, Down, Progress, Refused, fetch, is_http, redacted, remaining_s, writing
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
    """What a data set consists of and who holds it."""

    name: str
    files: tuple[DataFile, ...]
    archives: tuple[str, ...]  # names of an archive that holds all of the files in another form
    public: tuple[str, ...]  # mirrors


def mismatched(files: Iterable[DataFile], data_dir: Path) -> list[tuple[DataFile, tuple[int, str] | None]]:
    """The files that do not verify, each with its size and SHA-256, or None if it is missing."""
    found = [(file, _measure(data_dir / file.path)) for file in files]
    return [(file, measured) for file, measured in found if measured != (file.bytes, file.sha256)]


def _measure(path: Path) -> tuple[int, str] | None:
    try:
        return path.stat().st_size, sha256(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}). Move it away or make it readable.") from error


def difference(file: DataFile, found: tuple[int, str] | None) -> str:
    """Expected and found, in words."""
    got = f"got {found[0]:,} bytes with {found[1]}" if found else "it is missing"
    return f"{file.path}: expected {file.bytes:,} bytes with SHA-256 {file.sha256}, {got}"


def bulleted(lines: Iterable[str]) -> str:
    """Each line on its own, indented, to follow a first line."""
    return "".join(f"\n  {line}" for line in lines)


class Pull:
    """One pull of one data set into `data_dir`: what is still missing, and what was tried for it."""

    def __init__(self, data: Inventory, data_dir: Path, cache_dir: Path, progress: Progress, ends_at: float) -> None:
        self.data, self.data_dir, self.cache_dir = data, data_dir, cache_dir
        self.progress, self.ends_at = progress, ends_at
        self.missing: list[DataFile] = []
        self.tried: list[str] = []

    def run(self, mirror: str | None) -> str:
        """Get what is missing from `mirror`, then the public ones; where it came from.

        Raises: DataError that lists what was tried.
        """
        for file, found in mismatched(self.data.files, self.data_dir):
            self.missing.append(file)
            if found:
                kept = self._set_aside(self.data_dir / file.path)
                self.tried.append(f"{self.data_dir}: {difference(file, found)}; set aside as {kept}")
                self.progress(self.tried[-1], found[0], file.bytes)
        origins = []
        for base in filter(None, (mirror, *self.data.public)):
            before = len(self.missing)
            if before:
                self._from_mirror(base)
            if len(self.missing) < before:
                origins.append(redacted(base))
        if self.missing:
            raise DataError(
                f"{self.data_dir}: {len(self.missing)} files of {self.data.name} can't be had. "
                "Set PIPELINE_DATA_MIRROR to a folder or URL that holds them, or run "
                f"`pipeline data pull {self.data.name}` when the network is back. Tried:" + bulleted(self.tried)
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
                except Down:
                    raise
                except Refused as error:
                    self.tried.append(f"{redacted(address)}: {error}")
        except Refused as error:  # Down, or no mirror at all
            self.tried.append(f"{redacted(address)}: {error}")

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
        if self.data.archives and _is_archive(source.name):
            from pipeline.data.texts.reviews import json_lines, read_reviews

            self.progress(source.name, 0, source.stat().st_size)
            try:
                reviews = read_reviews(source)
            except DataError as error:
                raise Refused(str(error)) from error
            contents = {f"{self.data.name}/{split}.jsonl": json_lines(rows) for split, rows in reviews.items()}
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
        target = self.data_dir / file.path
        with temporary(self.cache_dir / "partial" / Path(file.path).name) as aside:
            with writing(aside, file.bytes):
                found = self._save(file, chunks, aside)
                fsync(aside)
            if found != (file.bytes, file.sha256):
                raise Refused(difference(file, found))
            with writing(target, file.bytes):
                target.parent.mkdir(parents=True, exist_ok=True)
                move(aside, target)
        self.missing.remove(file)

    def _save(self, file: DataFile, chunks: Iterator[bytes], aside: Path) -> tuple[int, str]:
        """Write chunks, no more than the file has bytes; their size and SHA-256."""
        digest, size = hashlib.sha256(), 0
        with aside.open("wb") as out:
            for chunk in chunks:
                shown, size = size // CHUNK, size + len(chunk)
                if size > file.bytes:
                    raise Refused(f"{file.path}: expected {file.bytes:,} bytes, got more")
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


def routes(data: Inventory, mirror: str) -> Iterator[tuple[str, tuple[DataFile, ...]]]:
    """The addresses to try under a mirror, best first, with the files each would give.

    Raises: Refused if there can be none.
    """
    if is_http(mirror):
        base = mirror.rstrip("/")
    elif mirror.lower().startswith("file:"):
        base = unquote(re.sub(r"^.{5}(//[^/]*)?", "", mirror)).rstrip("/")
    elif "://" in mirror:
        raise Refused("expected a folder, an archive, or a file: or http(s) address")
    else:
        base = str(Path(mirror).expanduser())
    if _is_archive(base):
        if not data.archives:
            raise Refused(f"an archive, but {data.name} comes as single files")
        yield base, data.files
        return
    folders = (f"{base}/{data.name}", base)
    yield from ((f"{folder}/{archive}", data.files) for folder in folders for archive in data.archives)
    for file in data.files:
        for folder in folders:
            for ending in (".gz", ""):
                yield f"{folder}/{Path(file.path).name}{ending}", (file,)
