"""Where there is no terminal, long work says now and then how far it is."""

from itertools import count

import pytest

from pipeline.cli.terminal import Terminal


def test_what_follows_a_download_is_told_as_well(
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
    told = [line for line in capfd.readouterr().out.splitlines() if line]
    assert told[:4] == ["imdb  50.0/100.0 MB", "imdb  100.0/100.0 MB", "10/20 answers", "20/20 answers"]
    assert told[4].startswith("epoch 1  step 5/100")
    assert 10 < len(told[4:]) <= Terminal.LINES
