"""Files in class folders: a folder, a tar or zip archive of one, or a table of paths and classes.

Archives are streamed, never unpacked to disk; every length and name in them is checked before it is used.
"""

import bz2
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from pipeline.data.own.layout import Layout, arrange
from pipeline.data.own.named_files import Listing, beside, files_of_tables
from pipeline.data.own.tables import Columns, table_format, table_parts
from pipeline.errors import DataError

FILES = 1_000_000
FILE_BYTES = 64 << 20  # larger files are skipped
RATIO = 20  # most an archive may expand: images hardly compress
SLACK = 64 << 20  # bytes that any archive may expand to
CHUNK = 1 << 20
COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
# What reading a damaged archive raises: RuntimeError of unknown compression and endless headers, ValueError of names.
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, RuntimeError, ValueError)
EXPECTED = "a subfolder for each of at least two classes"


def scan(path: Path, columns: Columns = Columns()) -> Listing:  # noqa: B008  frozen
    """Files below `path`, their classes (the topmost folder of each) and the splits that folders around these name.

    Raises: DataError for a path without files, a damaged or unsafe archive, or fewer than two classes.
    """
    parts = table_parts(path)
    listed = files_of_tables(path, parts, columns) if parts else _by_folder(path)
    found = listed.classes
    if len(found) < 2:
        got = f"{len(listed.files):,} files and {len(found)} classes" + f" ({', '.join(found)})" * bool(found)
        notes = "".join(f" {remark.partition(' ')[2].strip()}." for remark in listed.remarks[:2])
        notes += "".join(f" {name} {why}." for name, why in list(listed.set_aside.items())[:2])
        inside = next((name for name in listed.files if table_format(Path(name))), None)
        notes += f" It holds the table {inside}: unpack it and give that file." if inside and path.is_file() else ""
        raise DataError(
            f"{path}: expected a folder (or tar, zip) with {EXPECTED}, or a CSV file with the columns file and label, "
            f"got {got}.{notes} Make a subfolder for each class."
        )
    return listed


def listing(path: Path) -> dict[str, str | None]:
    """The files of `scan` and their classes."""
    return scan(path).files


def classes(path: Path) -> tuple[str, ...]:
    """The classes' names in alphabetic order."""
    return scan(path).classes


def contents(path: Path, names: set[str]) -> Iterator[tuple[str, bytes | str]]:
    """Content of each of the files, in storage order; the reason as a text for one that can't be read.

    Raises: DataError if an archive is damaged, or expands to far more than its size.
    """
    if path.is_dir() or table_format(path):
        yield from ((name, _content(beside(path) / name)) for name in sorted(names))
        return
    with _readable(path):
        for name, size, file in _members(path):
            if file and name in names:
                with _whole(path, name):
                    content = TOO_LARGE if size > FILE_BYTES else file.read(FILE_BYTES + 1)
                yield name, content


TOO_LARGE = f"is larger than {FILE_BYTES >> 20} MiB"


def _by_folder(path: Path) -> Listing:
    loops: dict[str, str] = {}
    if path.is_dir():
        names = list(_walk(path, loops))
    else:
        with _readable(path):
            names = [name for name, _, _ in _members(path, folders=True)]
    names, aside = _named(names)
    layout: Layout = arrange(sorted(names))
    return Listing(layout.labels, layout.splits, layout.set_aside | aside | loops, layout.remarks)


def _named(names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The names that are UTF-8, and the others as they are shown, with the reason why they are set aside."""
    good, aside = [], {}
    for name in names:
        try:
            name.encode()
            good.append(name)
        except UnicodeEncodeError:
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            aside[shown] = "has a name that is not UTF-8: rename it"
    return good, aside


def _walk(path: Path, loops: dict[str, str]) -> Iterator[str]:
    """Names of all files, and of all folders with `/` at their end; links are followed, those to a folder above not."""
    for folder, folders, files in os.walk(path, followlinks=True):
        inside = os.path.relpath(folder, path)
        prefix = "" if inside == "." else f"{inside}/"
        for name in list(folders):
            if os.path.islink(f"{folder}/{name}"):  # noqa: PTH114
                real = os.path.realpath(f"{folder}/{name}")
                if f"{os.path.realpath(folder)}/".startswith(f"{real}/"):
                    folders.remove(name)
                    loops[f"{prefix}{name}"] = "is a link to a folder that holds it"
                    continue
            yield f"{prefix}{name}/"
            if name.startswith("."):
                folders.remove(name)
        yield from (f"{prefix}{name}" for name in files)


KINDS = {stat.S_IFIFO: "a fifo", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def _kind(state: os.stat_result) -> str:
    return f"is {KINDS.get(stat.S_IFMT(state.st_mode), 'a folder')}"


def _content(file: Path) -> bytes | str:
    """A file's content, or why there is none."""
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):
            return f"{_kind(state)}, not a file"
        return TOO_LARGE if state.st_size > FILE_BYTES else file.read_bytes()
    except FileNotFoundError:
        return "is a link to a file that is missing" if file.is_symlink() else "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror})"


def _members(path: Path, *, folders: bool = False) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """Name, size and content of each regular file of an archive; every member is checked before it is read.

    With `folders`, their names are yielded too, with `/` at their end.
    """
    members = _zip(path) if zipfile.is_zipfile(path) else _tar(path)
    for count, (name, size, kind, file) in enumerate(members):
        if count >= FILES:
            raise _unsafe(path, name, f"at most {FILES:,} members", "more")
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise _unsafe(path, name, "a name that stays inside the archive", "this name")
        if kind == "other":
            raise _unsafe(path, name, "a regular file or folder", "a link or device")
        inside = re.sub(r"^(\./)+", "", name)
        if kind == "file":
            yield inside, size, file
        elif folders and inside.strip("./"):
            yield f"{inside.rstrip('/')}/", 0, None


class _Meter:
    """Stream with a limit on its bytes; tarfile alone would trust any length in a header."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.left = path, stream, RATIO * path.stat().st_size + SLACK

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                f"{self.path}: expected it to expand to at most {RATIO} times its size, got more. It is not an archive "
                "of images: pack the class folders again."
            )
        return data


class _Header(tarfile.TarInfo):
    """A member's header; a damaged or missing one is an error, which `tarfile` takes for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the block of zeros after the last member
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _tar(path: Path) -> Iterator[tuple[str, int, str, IO[bytes] | None]]:
    with path.open("rb") as file:
        head = file.read(6)
    opener: Any = next((opener for magic, opener in COMPRESSED.items() if head.startswith(magic)), open)
    # Read as a stream: a compressed tar has no index.
    with opener(path, "rb") as stream:
        meter = _Meter(path, stream)
        with tarfile.open(fileobj=meter, mode="r|", tarinfo=_Header) as tar:  # type: ignore[call-overload]
            while (member := tar.next()) is not None:
                kind = "file" if member.isreg() and not member.issparse() else "folder" if member.isdir() else "other"
                yield member.name, member.size, kind, tar.extractfile(member) if kind == "file" else None
                tar.members.clear()  # not needed again in a stream
        while meter.read(CHUNK):  # to the end, where gzip has the checksum
            pass


def _zip(path: Path) -> Iterator[tuple[str, int, str, IO[bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        left = RATIO * path.stat().st_size + SLACK
        for member in archive.infolist():
            left -= member.file_size
            if left < 0 or member.flag_bits & 1:
                expected = "no password" if left >= 0 else f"at most {RATIO} times the archive's own size in all"
                raise _unsafe(path, member.filename, expected, "one" if left >= 0 else "more")
            mode = (member.external_attr >> 16) & 0o170000
            name = member.filename.replace("\\", "/")  # as some programs of Windows write it
            folder = name.endswith("/") or mode == 0o040000
            kind = "folder" if folder else "file" if mode in (0, 0o100000) else "other"
            if kind == "file":
                with _whole(path, name):
                    file = archive.open(member)
                with file:
                    yield name, member.file_size, kind, file
            else:
                yield name, 0, kind, None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        if path.exists() and not path.is_file():
            raise OSError(f"it {_kind(path.stat())}, not a file")
        yield
    except DAMAGE as error:
        raise DataError(
            f"{path}: expected a folder, a tar or zip archive or a CSV file, got {type(error).__name__} ({error}). "
            "Give data.path, or make a damaged archive again."
        ) from error


@contextmanager
def _whole(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise _unsafe(path, name, "a whole member", f"{type(error).__name__} ({error})") from error


def _unsafe(path: Path, name: str, expected: str, got: str) -> DataError:
    return DataError(f"{path}: {name!r}: expected {expected}, got {got}. Pack the class folders again.")
