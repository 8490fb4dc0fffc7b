"""Stopping a run from outside: at its next step, its state kept, wherever its workers are.

The request is a file in the run's folder, which every worker sees. Ctrl-C and SIGTERM write it; so may anything else
that wants a run to stop (`request`).
"""

import os
import signal
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

STOP = "stop"
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 75}  # 75, EX_TEMPFAIL: can go on


def request(run_dir: Path, why: str = "") -> None:
    """Ask a run to stop at its next step; a later request's `why` replaces an earlier one's."""
    (run_dir / STOP).write_text(why)


def requested(run_dir: Path) -> bool:
    """Whether a run is asked to stop; costs a look at one file."""
    return os.access(f"{run_dir}/{STOP}", os.F_OK)  # pathlib takes 10 µs more, at every step


def reason(run_dir: Path) -> str | None:
    """Why a run is asked to stop; None if it is not."""
    return (run_dir / STOP).read_text() if requested(run_dir) else None


def withdraw(run_dir: Path) -> None:
    """Forget an older request, before a run begins or goes on."""
    (run_dir / STOP).unlink(missing_ok=True)


@contextmanager
def at_once() -> Iterator[None]:
    """Inside the block SIGTERM ends the process as Ctrl-C does: by an exception, so that what is open is closed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(EXIT_CODES[signal.Signals(number)])

    with _handling(end, signal.SIGTERM):
        yield


@contextmanager
def gracefully(run_dir: Path, print_line: Callable[[str], None]) -> Iterator[list[int]]:
    """Inside the block the first Ctrl-C or SIGTERM asks the run to stop, a second ends it at once, a third even that.

    Yields: the exit codes of the signals received so far.
    """
    codes: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        codes.append(EXIT_CODES[signal.Signals(number)])
        if len(codes) == 1:
            request(run_dir)
            # From a thread of its own: here it could meet the very stream that the interrupted code is writing, which
            # raises. Not `threading.Thread`, whose start takes a lock that the interrupted code may hold.
            start_new_thread(
                print_line, ("stopping at the next step, the state will be kept; once more to stop at once",)
            )
        elif len(codes) == 2:
            # Not KeyboardInterrupt: Lightning would ignore all further ones and exit with 1.
            raise SystemExit(codes[0])
        else:
            os._exit(codes[0])

    with _handling(end, *EXIT_CODES):
        yield codes


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], Any], *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
