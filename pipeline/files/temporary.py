"""Files that appear whole or not at all, and the hidden temporaries that they are written to.

A temporary has a name beside its target, `.NAME.HOST-PID-TOKEN.tmp`. The next writer of the target or `pipeline clean`
removes a temporary once its process is gone.
"""

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = re.compile(r"\.(?P<host>[^./]*)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp(\.\w+)?$")
FOREIGN_S = 86_400.0  # after which a temporary of another machine, whose processes can't be seen, counts as left behind

_own: set[str] = set()  # the temporaries that this process is writing


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Rename a file, durably; an existing target is replaced."""
    fsync(source)
    source.replace(target)
    fsync(target.parent)


@contextmanager
def temporary(target: Path, suffix: str = "") -> Iterator[Path]:
    """A hidden name beside `target` to write to, which is gone after the block unless it was renamed.

    `suffix` ends the name, for libraries that choose a format by it.
    """
    for path in leftovers(target.parent, target.name):
        remove(path)
    name = f".{target.name}.{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp{suffix}"
    _own.add(name)
    try:
        yield target.with_name(name)
    finally:
        remove(target.with_name(name))
        _own.discard(name)


@contextmanager
def atomic_file(target: Path, suffix: str = "") -> Iterator[Path]:
    """A name for the block to write a file to, which then becomes `target`; if the block raises, nothing changes."""
    with temporary(target, suffix) as aside:
        yield aside
        move(aside, target)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Make a file (text as UTF-8) hold `content`; whoever reads it meanwhile sees the old content or the new.

    Raises: OSError if the disk refuses; what was there before stays.
    """
    with atomic_file(path) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)


def size(path: Path) -> int:
    """Bytes in a file, or in all files under a folder."""
    found = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in found if file.is_file())


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def leftovers(parent: Path, name: str = "") -> list[Path]:
    """The temporaries in `parent`, of one target or of all, whose writers are gone."""
    try:
        found = [path for path in parent.iterdir() if path.name.startswith(f".{name}." if name else ".")]
    except OSError:  # nothing there, or not ours to see
        return []
    return [path for path in found if _is_left(path)]


def _is_left(path: Path) -> bool:
    parts = TEMPORARY.search(path.name)
    if not parts or path.name in _own:
        return False
    if parts["host"] == _host():
        return int(parts["pid"]) == os.getpid() or not _runs(int(parts["pid"]))
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > FOREIGN_S
    return False


def _host() -> str:
    return os.uname().nodename.replace(".", "_")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)  # but PermissionError: another user's
    return True
