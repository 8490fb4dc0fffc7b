"""The processes that the live page starts, and how the end of the server interrupts them."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.app import live, server
from pipeline.runs import interruption, records

# In the place of `pipeline train`: writes each signal that it gets.
TRAINING = """
import signal, time
from pathlib import Path

def write(number, frame):
    with Path("signals").open("a") as file:
        file.write(f"{number} ")

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, write)
Path("ready").write_text("yes")
time.sleep(60)
"""


def wait(*paths: Path) -> None:
    ends = time.monotonic() + 20
    while not all(path.exists() and path.read_text() for path in paths):
        assert time.monotonic() < ends, paths
        time.sleep(0.01)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project where `python -m pipeline` stands for a training."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").touch()  # a package comes before one of the same name, a bare folder does not
    (tmp_path / "pipeline/__main__.py").write_text(TRAINING)
    (tmp_path / "runs").mkdir()
    return tmp_path


@pytest.fixture
def training(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    monkeypatch.setattr(live, "_children", {})
    live._spawn("training", root, "train")
    with live._children["training"] as child:
        try:
            wait(root / "ready")
            yield child
        finally:
            child.kill()


def test_the_ctrl_c_of_the_servers_terminal_does_not_reach_its_training(training: "subprocess.Popen[bytes]") -> None:
    assert os.getsid(training.pid) == training.pid


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
def test_a_training_is_interrupted_when_the_server_is_and_when_its_terminal_is_closed(
    sent: signal.Signals, training: "subprocess.Popen[bytes]", root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "preload", lambda: None)
    before = signal.signal(sent, signal.default_int_handler)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening, suppress(KeyboardInterrupt):
            server.serve(root, listening, lambda: signal.raise_signal(sent))
    finally:
        signal.signal(sent, before)
    wait(root / "signals")
    assert (root / "signals").read_text().split() == [str(int(signal.SIGINT))]


def test_a_run_that_is_stopping_is_not_interrupted_again(training: "subprocess.Popen[bytes]", root: Path) -> None:
    run_dir = root / "runs/mine"
    run_dir.mkdir()
    facts = {"name": "mine", "experiment": "mlp_xor", "status": "running", "pid": training.pid, "started": 1}
    (run_dir / "run.json").write_text(json.dumps(facts))
    with records.lock(run_dir):
        interruption.request(run_dir)
        live.interrupt_children(root)
        time.sleep(0.1)
        assert not (root / "signals").exists()
        interruption.withdraw(run_dir)
        live.interrupt_children(root)
    wait(root / "signals")
