"""End a process with its parent, however the parent ends (Linux only)."""

import ctypes
import os
import signal

PARENT_DEATH_SIGNAL = 1  # prctl's number
STOPPED = 75  # EX_TEMPFAIL


def end_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM when the process `parent`, its parent, ends."""
    if prctl := getattr(ctypes.CDLL(None), "prctl", None):
        prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(STOPPED)
