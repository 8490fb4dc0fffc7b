"""Files and folders that appear whole or not at all, their digests, and locks between processes.

The only place in the package that renames, fsyncs or locks.
"""

from pipeline.files.folders import WriteError, atomic_folder, exists, read_folder, recover
from pipeline.files.locks import LockHeldError, file_lock, is_locked
from pipeline.files.temporary import (
    atomic_file,
    atomic_write,
    fsync,
    leftovers,
    move,
    remove,
    sha256,
    size,
    temporary,
)

__all__ = [
    "LockHeldError",
    "WriteError",
    "atomic_file",
    "atomic_folder",
    "atomic_write",
    "exists",
    "file_lock",
    "fsync",
    "is_locked",
    "leftovers",
    "move",
    "read_folder",
    "recover",
    "remove",
    "sha256",
    "size",
    "temporary",
]
