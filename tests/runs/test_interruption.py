"""Ctrl-C, SIGTERM and SIGHUP, as often as people send them, and terminals that are closed."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.runs import interruption

# Prints the messages and survives every exception: only `os._exit` ends it.
STUBBORN = """
from pathlib import Path
from time import sleep
from pipeline.runs.interruption import gracefully

def print_line(line):
    print(line, flush=True)

with gracefully(Path(), print_line):
    while True:
        try:
            print_line("ready")
            sleep(60)
        except SystemExit as error:
            print_line(f"at once, with {error.code}")
"""


@pytest.mark.parametrize(("first", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGHUP, 75)])
def test_the_first_asks_the_second_ends_and_the_third_ends_whatever_happens(
    first: signal.Signals, exit_code: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            assert not interruption.requested(tmp_path)
            process.send_signal(first)
            assert process.stdout.readline().startswith("stopping at the next step")
            assert interruption.requested(tmp_path)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == f"at once, with {exit_code}\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == exit_code
        finally:
            process.kill()


class RaisesSigint(io.RawIOBase):
    """What is written, and a Ctrl-C in the middle of the first write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written.append(bytes(data))
        if len(self.written) == 1:
            signal.raise_signal(signal.SIGINT)
        return len(data)


def test_ctrl_c_while_the_stream_it_speaks_to_is_being_written_asks_the_run_to_stop(tmp_path: Path) -> None:
    raw = RaisesSigint()
    stream = io.TextIOWrapper(io.BufferedWriter(raw), write_through=True)  # type: ignore[type-var]
    with interruption.gracefully(tmp_path, lambda words: print(words, file=stream, flush=True)) as codes:
        print("step 1", file=stream, flush=True)
        assert codes == [130]
        assert interruption.requested(tmp_path)
        until = time.monotonic() + 10
        while b"stopping at the next step" not in b"".join(raw.written) and time.monotonic() < until:
            time.sleep(0.01)
    assert b"".join(raw.written).startswith(b"step 1\nstopping at the next step")


def test_below_nohup_a_hangup_stops_nothing(tmp_path: Path) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, STUBBORN]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)  # comes after it
            assert process.stdout.readline().startswith("stopping at the next step")
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "at once, with 75\n"  # the second signal, not the third
        finally:
            process.kill()


# Becomes the owner of the terminal, prints until it is asked to stop and once more, then leaves a file.
ON_A_TERMINAL = """
import os, sys, time
from pathlib import Path
terminal = os.open(sys.argv[1], os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(terminal, number)
os.close(terminal)
from pipeline.runs import interruption
with interruption.gracefully(Path(), lambda line: print(line, flush=True)) as codes:
    while not interruption.requested(Path()):
        os.write(1, b"ready")
        time.sleep(0.01)
    print("the state is stored", flush=True)
Path("done").write_text(str(codes))
"""


def test_a_run_whose_terminal_is_closed_stops_at_its_next_step_and_can_still_print(tmp_path: Path) -> None:
    master, slave = os.openpty()
    command = [sys.executable, "-c", ON_A_TERMINAL, os.ttyname(slave)]
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True) as process:
        try:
            assert os.read(master, 5) == b"ready"
            os.close(slave)
            os.close(master)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert (tmp_path / "done").read_text() == "[75]"
