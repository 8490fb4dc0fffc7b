"""Progress of long work: a bar on a terminal, lines elsewhere, and a reader that leaves."""

import os
import pty
from itertools import count

import pytest

from pipeline.cli import terminal
from pipeline.cli.terminal import Output, Terminal


def test_progress_after_a_download_is_printed_as_well(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = count(60, 60)
    monkeypatch.setattr("pipeline.cli.terminal.time.monotonic", lambda: next(minutes))
    console = Terminal()
    for done in (50, 100):
        console.download("imdb", done * 10**6, 100 * 10**6)
    for done in (10, 20):
        console.predictions(done, 20)
    console.progress([{"epoch": 0, "step": step, "total": 100, "loss": 0.5} for step in range(1, 101)])
    console.file.close()
    lines = [line for line in capfd.readouterr().out.splitlines() if line]
    assert lines[:4] == ["imdb  50.0/100.0 MB", "imdb  100.0/100.0 MB", "10/20 predictions", "20/20 predictions"]
    assert lines[4].startswith("epoch 1  step 5/100")
    assert 10 < len(lines[4:]) <= Terminal.LINES


def test_a_line_is_printed_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    console = Terminal()
    console.print("fit.py:100: UserWarning: [bold]loss[/bold] :warning:")
    console.file.close()
    assert capfd.readouterr().out == "fit.py:100: UserWarning: [bold]loss[/bold] :warning:\n"


def test_a_reader_that_leaves_does_not_stop_the_work() -> None:
    reading, writing = os.pipe()
    output = Output(os.fdopen(writing, "wb"), encoding="utf-8", errors="replace")
    os.close(reading)
    for _ in range(3):
        output.write("epoch 1\n" * 10_000)
        output.flush()
    output.close()


def test_an_error_leaves_no_bar_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, descriptor = pty.openpty()
    output = Output(os.fdopen(descriptor, "wb"), encoding="utf-8", errors="replace")
    monkeypatch.setattr(terminal, "standard_output", lambda: output)
    console = Terminal()
    console.progress([{"epoch": 0, "step": 5, "total": 100, "loss": 0.5}])
    assert console.bar.live.is_started
    with pytest.raises(KeyboardInterrupt), console:
        raise KeyboardInterrupt
    assert not console.bar.live.is_started
    printed = ""
    while not printed.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"):
        printed += os.read(screen, 1 << 16).decode()
    assert "step 5/100" in printed
    assert printed.rpartition("step 5/100")[2].endswith("\x1b[2K")  # the line is erased, the next text starts on it
    output.close()
    os.close(screen)
