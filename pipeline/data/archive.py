"""Files in class folders: a folder, a tar or zip archive of one, or a CSV file of paths and classes.

Archives are streamed, never unpacked to disk; every length and name in them is checked before it is used.
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
FILE_BYTES = 64 << 20  # larger files are skipped
RATIO = 20  # most an archive may expand: images hardly compress
SLACK = 64 << 20  # bytes that any archive may expand to


def listing(path: Path) -> dict[str, str | None]:
    """Files below `path` and their classes, the topmost folder of each; None for files in no folder.

    A single folder around all class folders, as in many archives, is ignored.

    Raises: DataError for a path without files, a damaged or unsafe archive, or fewer than two classes.
    """
    files: dict[str, str | None] = {}
    files.update(_lines(path) if path.suffix.lower() == ".csv" else _by_folder(path))
    classes = sorted({label for label in files.values() if label})
    if len(classes) < 2:
        got = f"{len(files):,} files and {len(classes)} classes" + f" ({', '.join(classes)})" * bool(classes)
        raise DataError(
            f"{path}: expected a folder (or tar, zip) with a subfolder for each of at least two classes, or a CSV "
            f"file with the columns file and label, got {got}. Make a subfolder for each class."
        )
    return files


def classes(path: Path) -> tuple[str, ...]:
    """The classes' names in alphabetic order."""
    return tuple(sorted({label for label in listing(path).values() if label}))


def contents(path: Path, names: set[str]) -> Iterator[tuple[str, bytes | None]]:
    """Content of each of the files, in storage order; None for one larger than 64 MiB or unreadable.

    Raises: DataError if an archive is damaged, or expands to far more than its size.
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
    while parts and all(len(part) > 2 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    return {name: part[0] if len(part) > 1 else None for name, part in zip(names, parts, strict=True)}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in table(path, "file"):
        if Path(line["file"]).is_absolute() or ".." in Path(line["file"]).parts:
            raise DataError(f"{path}:{number}: expected a file below {path.parent}, got {line['file']}. Move it there.")
        yield line["file"], line["label"]


def table(path: Path, column: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Numbered lines of a CSV file with the columns `column` and `label`.

    Raises: DataError naming the line where one of them is empty.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(csv.DictReader(file, strict=True), start=2):
                if not line.get(column) or not line.get("label"):
                    raise DataError(
                        f"{path}:{number}: expected something in the columns {column} and label, got "
                        f"{ {key: value for key, value in line.items() if key in (column, 'label')} }. Fix that line."
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
    """Name, size and content of each regular file of an archive; every member is checked before it is read."""
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


def _tar(path: Path) -> Iterator[tuple[str, int, str, Any]]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    opener: Any = gzip.open if zipped else open
    # Read as a stream: a tar.gz has no index.
    with opener(path, "rb") as stream, tarfile.open(fileobj=_Meter(path, stream), mode="r|") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            kind = "file" if member.isreg() and not member.issparse() else "folder" if member.isdir() else "other"
            yield member.name, member.size, kind, tar.extractfile(member) if kind == "file" else None
            tar.members.clear()  # not needed again in a stream


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
    return DataError(f"{path}: {name!r}: expected {expected}, got {got}. Pack the class folders again.")
