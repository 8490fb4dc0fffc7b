"""Ctrl-C and SIGTERM, as often as people send them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import interrupt

# It says what it is told, and clings to life: nothing short of `os._exit` ends it.
STUBBORN = """
from pathlib import Path
from time import sleep
from pipeline.interrupt import gracefully

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
            assert not interrupt.requested(tmp_path)
            process.send_signal(first)
            assert process.stdout.readline().startswith("stopping at the next step")
            assert interrupt.requested(tmp_path)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == f"at once, with {exit_code}\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == exit_code
        finally:
            process.kill()
