"""Processes that a test has started: which of them are left."""

import time
from collections.abc import Sequence

import psutil


def left(pids: Sequence[int], within_s: float) -> list[str]:
    """What those do that have not ended in time."""
    ends = time.monotonic() + within_s
    while (states := [state for pid in pids if (state := _state(pid))]) and time.monotonic() < ends:
        time.sleep(0.05)
    return states


def _state(pid: int) -> str:
    """Nothing where a process has ended, even if nobody has waited for it yet (a zombie)."""
    try:
        process = psutil.Process(pid)
        state = process.status()
        return "" if state == psutil.STATUS_ZOMBIE else f"{state}, {process.num_threads()} threads"
    except psutil.NoSuchProcess:
        return ""
