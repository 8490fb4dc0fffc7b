"""Folders that appear whole or not at all, and readers that never see a mixture of an old and a new one.

While a folder is replaced, its old version is `.NAME.old`, always whole: readers fall back on it, the next writer
undoes a replacement that a crash cut off.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pipeline.files.locks import exclusive
from pipeline.files.temporary import fsync, size, temporary

READS = 100  # of a folder that is replaced again each time

T = TypeVar("T")


class WriteError(OSError):
    """A folder that the disk did not take, and how many bytes of it were written before."""

    def __init__(self, error: OSError, written: int):
        super().__init__(error.errno, error.strerror or str(error))
        self.written = written


def atomic_folder(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make `folder` appear at once, durably, with what `write` puts into the folder it is given; replaces an old one.

    Raises: WriteError if the disk refuses; what was there before stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary(folder) as aside:
        try:
            aside.mkdir()
            write(aside)
            for path in [*aside.rglob("*"), aside]:
                fsync(path)
            _swap(aside, folder)
        except OSError as error:
            raise WriteError(error, size(aside)) from error
    return folder


def _swap(aside: Path, folder: Path) -> None:
    with exclusive(folder.parent):
        _recover(folder)
        try:
            if folder.exists():
                folder.rename(_old(folder))
            aside.rename(folder)
            fsync(folder.parent)
        finally:
            _recover(folder)


def recover(parent: Path) -> None:
    """Undo in `parent` every replacement that a crash cut off: the old folder comes back. For those who write there."""
    for old in parent.glob(".*.old"):
        with exclusive(parent):
            _recover(parent / old.name[1 : -len(".old")])


def _recover(folder: Path) -> None:
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    elif old.exists():
        with temporary(folder) as doomed:  # so that what is named `.old` is whole at all times
            old.rename(doomed)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def exists(folder: Path) -> bool:
    """Whether a folder can be read: it stands there, or its old version while it is replaced."""
    return any(place.is_dir() for _ in range(3) for place in (folder, _old(folder)))


def read_folder(folder: Path, read: Callable[[Path], T]) -> T:
    """The result of `read(place)`, where `place` is the folder, or its old version if a replacement was cut off.

    Writes nothing. Repeated where another process replaced the folder meanwhile, so that no mixture of old and new is
    read.
    """
    for _ in range(READS):
        place, handle = _open(folder)
        try:
            found = read(place)
        except Exception:
            if _is_at(handle, folder, place):
                raise
        else:
            if _is_at(handle, folder, place):
                return found
        finally:
            if handle is not None:
                os.close(handle)
    return read(folder)


def _open(folder: Path) -> tuple[Path, int | None]:
    """The place to read, kept open so that no other folder gets its number; None if there is nothing."""
    for place in (folder, _old(folder)) * 10:  # each may vanish between two looks while it is replaced
        with suppress(FileNotFoundError, NotADirectoryError):
            return place, os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    return folder, None


def _is_at(handle: int | None, folder: Path, place: Path) -> bool:
    """Whether the folder that was opened still has its place, and a new one has not come."""
    if handle is None:
        return not exists(folder)
    if place != folder and folder.exists():
        return False
    try:
        return os.path.samestat(os.fstat(handle), place.stat())
    except FileNotFoundError:
        return not exists(folder)
