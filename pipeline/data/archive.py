"""Files in class folders: a folder, a tar or zip archive of one, or a CSV file that names each file and its class.

Nothing is ever unpacked to the disk, and no length or name in an archive is believed before it is checked.
"""

import csv
import gzip
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline.errors import DataError

FILES = 1_000_000
FILE_BYTES = 64 << 20  # a larger file is set aside, not read
RATIO = 20  # unpacked to packed bytes of an archive: pictures hardly pack at all
SLACK = 64 << 20  # what any archive may unpack to


def listing(path: Path) -> dict[str, str | None]:
    """Each file's name, below `path`, and its class: the topmost folder it stands in; None if it stands in none.

    A folder around all class folders (as archives often have) does not count.

    Raises: DataError if there is nothing to read, an archive is damaged or not safe, or there are under two classes.
    """
    found: dict[str, str | None] = {}
    found.update(_lines(path) if path.suffix.lower() == ".csv" else _by_folder(path))
    classes = sorted({label for label in found.values() if label})
    if len(classes) < 2:
        seen = f"{len(found):,} files and {len(classes)} classes" + f" ({', '.join(classes)})" * bool(classes)
        raise DataError(
            f"{path}: expected a folder (or tar, zip) with a subfolder for each of at least two classes, or a CSV "
            f"file with the columns file and label, got {seen}. Make a subfolder for each class."
        )
    return found


def classes(path: Path) -> tuple[str, ...]:
    """The classes' names in alphabetic order."""
    return tuple(sorted({label for label in listing(path).values() if label}))


def contents(path: Path, names: set[str]) -> Iterator[tuple[str, bytes | None]]:
    """The content of each of the files, in whatever order is fast; None if it is larger than 64 MiB or can't be read.

    Raises: DataError if an archive is damaged, or unpacks to far more than it is.
    """
    if path.is_dir() or path.suffix.lower() == ".csv":
        folder = path if path.is_dir() else path.parent
        yield from ((name, _content(folder / name)) for name in sorted(names))
        return
    with _readable(path):
        for name, size, file in _members(path):
            if name in names:
                yield name, None if size > FILE_BYTES else file.read(FILE_BYTES + 1)


def _by_folder(path: Path) -> dict[str, str | None]:
    if path.is_dir():
        names = sorted(
            os.path.relpath(os.path.join(folder, file), path)  # noqa: PTH118  pathlib is five times slower here
            for folder, _, files in os.walk(path)
            for file in files
        )
    else:
        with _readable(path):
            names = sorted(name for name, _, _ in _members(path))
    parts = [name.split("/") for name in names]
    while parts and all(len(one) > 2 for one in parts) and len({one[0] for one in parts}) == 1:
        parts = [one[1:] for one in parts]
    return {name: one[0] if len(one) > 1 else None for name, one in zip(names, parts, strict=True)}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in table(path, "file"):
        if Path(line["file"]).is_absolute() or ".." in Path(line["file"]).parts:
            raise DataError(f"{path}:{number}: expected a file below {path.parent}, got {line['file']}. Move it there.")
        yield line["file"], line["label"]


def table(path: Path, column: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a CSV file with their numbers; each has something in `column` and in `label`.

    Raises: DataError naming the line that lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(csv.DictReader(file, strict=True), start=2):
                if not line.get(column) or not line.get("label"):
                    raise DataError(
                        f"{path}:{number}: expected something in the columns {column} and label, got "
                        f"{ {key: value for key, value in line.items() if key in (column, 'label')} }. Mend that line."
                    )
                yield number, line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8 or a folder, got {error}. Give data.path.") from error


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= FILE_BYTES else None
    except OSError:
        return None


def _members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, size and content of each regular file in an archive; every member is checked before it is read."""
    members = _zip(path) if zipfile.is_zipfile(path) else _tar(path)
    for count, (name, size, kind, file) in enumerate(members):
        if count >= FILES:
            raise _unsafe(path, name, f"at most {FILES:,} members", "more")
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise _unsafe(path, name, "a name that stays inside the archive", "this name")
        if kind == "other":
            raise _unsafe(path, name, "a regular file or folder", "a link or device")
        if kind == "file":
            yield re.sub(r"^(\./)+", "", name), size, file


class _Meter:
    """A stream that gives a limited number of bytes; tarfile alone would follow any length that a header claims."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.left = path, stream, RATIO * path.stat().st_size + SLACK

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                f"{self.path}: expected it to unpack to at most {RATIO} times its size, got more. It is no archive of "
                "pictures: pack the class folders anew."
            )
        return data


def _tar(path: Path) -> Iterator[tuple[str, int, str, Any]]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if zipped else open
    # A stream: a tar.gz has no index, and is read once from one end to the other.
    with opener(path, "rb") as stream, tarfile.open(fileobj=_Meter(path, stream), mode="r|") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            kind = "file" if member.isreg() and not member.issparse() else "folder" if member.isdir() else "other"
            yield member.name, member.size, kind, tar.extractfile(member) if kind == "file" else None
            tar.members.clear()  # a stream never goes back


def _zip(path: Path) -> Iterator[tuple[str, int, str, Any]]:
    with zipfile.ZipFile(path) as archive:
        left = RATIO * path.stat().st_size + SLACK
        for member in archive.infolist():
            left -= member.file_size
            if left < 0 or member.flag_bits & 1:
                expected = "no password" if left >= 0 else f"at most {RATIO} times the archive's own size in all"
                raise _unsafe(path, member.filename, expected, "one" if left >= 0 else "more")
            mode = (member.external_attr >> 16) & 0o170000
            kind = "folder" if member.is_dir() else "file" if mode in (0, 0o100000) else "other"
            if kind == "file":
                with archive.open(member) as file:
                    yield member.filename, member.file_size, kind, file
            else:
                yield member.filename, 0, kind, None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(
            f"{path}: expected a folder, a tar or zip archive or a CSV file, got {type(error).__name__} ({error}). "
            "Give data.path."
        ) from error


def _unsafe(path: Path, name: str, expected: str, got: str) -> DataError:
    return DataError(f"{path}: {name!r}: expected {expected}, got {got}. Pack the class folders anew.")
