"""Before a machine ends, its trainings store their state and its Ray node is drained."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipeline.launch import drain
from tests.launch.nodes import nodes

SLEEPER = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path("stored").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, end)
pathlib.Path("runs").touch()
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python -P -m pipeline train experiment=x", True),
        ("/opt/venv/bin/python /opt/venv/bin/pipeline resume latest", True),
        ("pipeline serve runs/x", False),  # stores no state
        ("vim /src/pipeline train.py", False),
        ("bash", False),
        ("", False),
    ],
)
def test_a_training_is_known_by_its_command(command: str, found: bool) -> None:
    assert drain.is_driver(command.split()) is found


def test_without_a_cluster_it_ends_at_once_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    drain.drain_node(time.monotonic() + 60)
    assert "not drained: cluster.address=127.0.0.1:9: no Ray cluster answers there" in capsys.readouterr().err


@pytest.mark.parametrize("error", [psutil.NoSuchProcess(1), psutil.AccessDenied(1)])
def test_a_node_is_drained_also_where_a_training_has_just_ended_or_is_another_users(
    error: psutil.Error, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminate() -> None:
        raise error

    driver = SimpleNamespace(info={"cmdline": ["pipeline", "train"]}, terminate=terminate, is_running=lambda: False)
    drained: list[float] = []
    monkeypatch.setattr("psutil.process_iter", lambda _: [driver])
    monkeypatch.setattr(drain, "drain_node", drained.append)
    drain.drain(60)
    assert len(drained) == 1


@pytest.mark.slow
def test_a_training_ends_with_its_state_stored_and_the_node_leaves_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "pipeline").write_text(SLEEPER)
    with nodes(1) as cluster:
        driver = subprocess.Popen([sys.executable, "pipeline", "train"], cwd=tmp_path)
        try:
            while not (tmp_path / "runs").exists():
                time.sleep(0.1)
            command = [sys.executable, "-m", "pipeline.launch.drain", "100"]
            began = time.monotonic()
            subprocess.run(command, env={**os.environ, "RAY_ADDRESS": cluster.address}, check=True, timeout=200)
            assert time.monotonic() - began < 90  # not by its limit
            assert driver.wait(10) == 75
            assert (tmp_path / "stored").exists()
            from ray._raylet import GcsClient  # type: ignore[attr-defined]

            states = {node.is_head_node: node.state for node in GcsClient(cluster.address).get_all_node_info().values()}
            assert states == {True: 0, False: 1}  # alive; dead
        finally:
            if driver.poll() is None:
                driver.send_signal(signal.SIGKILL)
