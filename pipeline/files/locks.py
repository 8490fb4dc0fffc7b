"""Locks between processes and threads, and the question whether one is held.

Lock files stay: one that no process holds means nothing.
"""

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import LaunchError

LOOKERS_S = 10.0  # the longest that processes which only look at a lock can keep another from taking it


class LockHeldError(LaunchError):
    """A lock that another process (or another thread) holds."""


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


def _take(file: IO[bytes], path: Path, wait_s: float | None) -> None:
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


def _try(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(parent: Path) -> Iterator[None]:
    """Keep two processes from replacing folders in `parent` at once."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS has no locks for folders: there, no two processes write the same one
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
