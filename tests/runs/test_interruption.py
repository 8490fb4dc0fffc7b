"""Ctrl-C and SIGTERM, as often as people send them."""

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.runs import interruption

# It says what it is told, and clings to life: nothing short of `os._exit` ends it.
STUBBORN = """
from pathlib import Path
from time import sleep
from pipeline.runs.interruption import gracefully

def say(words):
    print(words, flush=True)

with gracefully(Path(), say):
    while True:
        try:
            say("ready")
            sleep(60)
        except SystemExit as error:
            say(f"at once, with {error.code}")
"""


@pytest.mark.parametrize(("first", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
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
