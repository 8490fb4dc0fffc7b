"""A lock that a process shares with the programs it starts, so that it is held until the last of them has ended.

Training does not import this module, so that a change here makes no recorded result stale.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.files.locks import LockHeldError


@contextmanager
def inherited_lock(path: Path) -> Iterator[int]:
    """Hold a lock for the block, and as long as a program that got its descriptor lives if this process is killed.

    A block that ends releases the lock also where a daemon of that program still has the descriptor.

    Yields: the descriptor, to be passed on (`pass_fds`).
    Raises: LockHeldError if another holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockHeldError(f"{path}: another process holds it. Wait for that one, then try again.") from None
    try:
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
