"""Files and folders that appear whole or not at all, their digests, and locks between processes.

The only place in the package that renames, fsyncs or locks. What is being written has a hidden name beside its target,
`.NAME.HOST-PID-TOKEN.tmp`, which the next writer of that target or `pipeline clean` removes once its process is gone.
While a folder is replaced, its old version is `.NAME.old`, always whole: readers fall back on it, the next writer
undoes a replacement that a crash cut off. Lock files stay: one that no process holds means nothing.
"""

import fcntl
import hashlib
import os
import random
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from pipeline.errors import LaunchError

TEMPORARY = re.compile(r"\.(?P<host>[^./]*)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp(\.\w+)?$")
FOREIGN_S = 86_400.0  # after which a temporary of another machine, whose processes can't be seen, counts as left behind
READS = 100  # of a folder that is replaced again each time
LOOKERS_S = 10.0  # the longest that processes which only look at a lock can keep another from taking it

T = TypeVar("T")
_own: set[str] = set()  # the temporaries that this process is writing


class LockHeldError(LaunchError):
    """A lock that another process (or another thread) holds."""


class WriteError(OSError):
    """A folder that the disk did not take, and how many bytes of it were written before."""

    def __init__(self, error: OSError, written: int):
        super().__init__(error.errno, error.strerror or str(error))
        self.written = written


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
    with _alone(folder.parent):
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
        with _alone(parent):
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


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Keep two processes from replacing folders in `parent` at once."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS has no locks for folders: there, no two processes write the same one
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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


# Locks are flock's, not fcntl's (lockf, F_GETLK): those belong to a process, so that one thread that closes the file
# after a look would drop the lock which another thread holds; and macOS offers no query for those of open files.
# flock has no query: to look is to take a shared lock for some microseconds. A shared lock that can be had while the
# exclusive one can't shows that nobody but lookers is there, and whoever wants the lock tries again.
@contextmanager
def file_lock(path: Path, wait_s: float | None = None) -> Iterator[None]:
    """Hold a lock that the kernel lets go of however the process ends; `wait_s` None waits forever, 0 not at all.

    Raises: LockHeldError if another holds it.
    """
    with path.open("a+b") as file:
        _take(file, path, wait_s)
        yield


def is_locked(path: Path) -> bool:
    """Whether anybody, this process included, holds the lock; nobody who takes it can fail because of the question."""
    try:
        with path.open("rb") as file:
            return not _try(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _take(file: IO[Any], path: Path, wait_s: float | None) -> None:
    if wait_s is None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    ends = time.monotonic() + wait_s
    while not _try(file, fcntl.LOCK_EX):
        looked_at = _try(file, fcntl.LOCK_SH)
        fcntl.flock(file, fcntl.LOCK_UN)
        if time.monotonic() >= ends + (LOOKERS_S if looked_at else 0):
            raise LockHeldError(f"{path}: another process holds it. Wait for that one, then try again.")
        time.sleep(random.uniform(0.0005, 0.005) if looked_at else min(0.1, max(wait_s, 0.001)))


def _try(file: IO[Any], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
