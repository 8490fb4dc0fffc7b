"""Checks of the file that a user names for output."""

import os
import stat
from pathlib import Path

from pipeline.errors import DataError


def check(path: Path, option: str) -> None:
    """Create the file's folder; nothing else is written.

    Raises: DataError if `path` exists and is not a regular file, is where this process prints to, or can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _error(path, option, f"its folder can't be made ({error.strerror})") from error
    try:
        found = path.stat()
    except FileNotFoundError:
        if not os.access(path.parent, os.W_OK):
            raise _error(path, option, "its folder is not writable") from None
        return
    except OSError as error:
        raise _error(path, option, f"can't be written ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "device or pipe"
        raise _error(path, option, f"expected a regular file, got a {kind}")
    if any(_is_stream(descriptor, found) for descriptor in (1, 2)):
        raise _error(path, option, "is where this command prints to")
    if not os.access(path, os.W_OK):
        raise _error(path, option, "is not writable")


def _error(path: Path, option: str, found: str) -> DataError:
    return DataError(f"{option} {path}: {found}. Choose another file.")


def _is_stream(descriptor: int, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), found)
    except OSError:  # closed
        return False
