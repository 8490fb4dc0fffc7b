"""MLflow's pages: refused where they can't be shown, else served on loopback."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pipeline.actions.doctor import port_owner
from pipeline.actions.ui import _newest_experiment, _page, serve
from pipeline.errors import LaunchError


@pytest.fixture
def tracked(project: Path, empty_database: Path) -> Path:
    (project / "runs").mkdir()
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return project


def show(root: Path, port: int, uri: str = "sqlite:///runs/mlflow.db") -> None:
    serve(None, root=root, uri=uri, port=port, browser=False, print_line=print)


def test_a_port_in_use_is_refused_with_its_owner(tracked: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "pid" in (port_owner(port) or "")
        with pytest.raises(LaunchError, match=rf"Port {port} is used by pid \d+ .*--port {port + 1}"):
            show(tracked, port)
    assert port_owner(port) is None


def test_a_server_of_ones_own_needs_no_second_one(tracked: Path) -> None:
    with pytest.raises(LaunchError, match=r"http://\*\*\*@host is a server already"):
        show(tracked, 1, "http://user:secret@host")


def test_the_pages_open_at_a_run_or_at_the_table_with_the_newest(tmp_path: Path) -> None:
    assert _newest_experiment(tmp_path) is None
    assert _page(None, None) == "#/experiments?workflowType=machine_learning"
    for name, started, experiment in (("old", 1.0, "3"), ("new", 2.0, "7")):
        record = {"name": name, "started": started, "experiment_id": experiment, "status": "finished", "seed": 0}
        record |= {"experiment": "x", "model": "CNN", "run_dir": str(tmp_path / "runs" / name), "run_id": name}
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(record))
    assert _newest_experiment(tmp_path) == "7"
    assert _page(None, "7") == "#/experiments/7/runs?viewStateShareKey=scores&workflowType=machine_learning"
    assert (
        _page({"experiment_id": "3", "run_id": "abc"}, "3") == "#/experiments/3/runs/abc?workflowType=machine_learning"
    )


@pytest.mark.slow
def test_the_pages_are_served_on_loopback_until_interrupted(tracked: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "ui", "--no-browser", "--port", str(port)]
    with subprocess.Popen(command, cwd=tracked, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline().startswith(f"MLflow: http://127.0.0.1:{port}/")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
            assert b"<title>MLflow</title>" in page.read()
        elsewhere = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(elsewhere, timeout=60)
        server.terminate()
        server.wait(20)
    assert port_owner(port) is None
