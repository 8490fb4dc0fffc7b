"""Processes that a test has started: which of them are left."""

import time
from collections.abc import Sequence

import psutil


def left(pids: Sequence[int], within_s: float) -> list[str]:
    """The states of the processes that have not ended within `within_s` seconds."""
    ends = time.monotonic() + within_s
    while (states := [state for pid in pids if (state := _state(pid))]) and time.monotonic() < ends:
        time.sleep(0.05)
    return states


def _state(pid: int) -> str:
    """The state of a process; empty where it has ended, even if nobody has waited for it yet (a zombie)."""
    try:
        process = psutil.Process(pid)
        state = process.status()
        return "" if state == psutil.STATUS_ZOMBIE else f"{state}, {process.num_threads()} threads"
    except psutil.NoSuchProcess:
        return ""
