"""Stopping a run from outside: at its next step, with its state stored, wherever its workers are.

The request is a file in the run's folder, which every worker sees. Ctrl-C, SIGTERM and SIGHUP (a closed terminal, a
dropped connection) write it; so may other programs (`request`).
"""

import os
import signal
import stat
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOP = "stop"
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 75, signal.SIGHUP: 75}  # 75, EX_TEMPFAIL: can be resumed
DESCRIPTORS = 256  # those below are looked at for terminals


def request(run_dir: Path, why: str = "") -> None:
    """Request that a run stops at its next step; a later request's `why` replaces an earlier one's."""
    (run_dir / STOP).write_text(why)


def requested(run_dir: Path) -> bool:
    """Whether a stop is requested; the cost is one system call."""
    return os.access(f"{run_dir}/{STOP}", os.F_OK)  # pathlib takes 10 µs more, at every step


def reason(run_dir: Path) -> str | None:
    """The reason of a requested stop; None if none is requested."""
    return (run_dir / STOP).read_text() if requested(run_dir) else None


def withdraw(run_dir: Path) -> None:
    """Remove an older request, before a run starts or resumes."""
    (run_dir / STOP).unlink(missing_ok=True)


@contextmanager
def at_once() -> Iterator[None]:
    """Inside the block SIGTERM and SIGHUP end the process as Ctrl-C does: by an exception, so that files are closed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(EXIT_CODES[signal.Signals(number)])

    with handling(end, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def gracefully(run_dir: Path, print_line: Callable[[str], None]) -> Iterator[list[int]]:
    """Inside the block the first Ctrl-C, SIGTERM or SIGHUP requests a stop, the second ends the process by an
    exception, the third without.

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
                print_line, ("stopping at the next step with the state stored; once more to stop at once",)
            )
        elif len(codes) == 2:
            # Not KeyboardInterrupt: Lightning would ignore all further ones and exit with 1.
            raise SystemExit(codes[0])
        else:
            os._exit(codes[0])

    with handling(end, *EXIT_CODES):
        yield codes


@contextmanager
def handling(handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals) -> Iterator[None]:
    """Inside the block `handler` gets these signals; on SIGHUP, output to a lost terminal is discarded first."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    terminals = [descriptor for descriptor in range(DESCRIPTORS) if os.isatty(descriptor)]

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _discard_output(terminals)
        handler(number, frame)

    # SIGHUP is ignored below `nohup`, and stays so.
    wanted = [number for number in numbers if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _discard_output(terminals: list[int]) -> None:
    """Put the null device in the place of terminals that are gone: writing to them would end the run with an error."""
    gone = [descriptor for descriptor in terminals if _is_gone(descriptor)]
    if gone:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in gone:
            os.dup2(null, descriptor)
        os.close(null)


def _is_gone(terminal: int) -> bool:
    try:
        return stat.S_ISCHR(os.fstat(terminal).st_mode) and not os.isatty(terminal)
    except OSError:  # closed
        return False
