"""MLflow in a process of its own: its calls, its errors and its end are those of MLflow in this process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import left

# In a process of its own: one with threads, as this one may be, calls MLflow itself.
SCRIPT = """
import json, os, sys
from pathlib import Path
import psutil
from pipeline.tracking.mlflow_process import start

FACTS = {"name": "n", "key": "k", "params": {}, "tags": {}, "dataset": {"name": "d", "digest": "0" * 64}}

def attempt(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        print(type(error).__name__, error)

"""


def script(root: Path, code: str) -> str:
    command = [sys.executable, "-c", SCRIPT + code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def root(project: Path, empty_database: Path) -> Path:
    (project / "runs").mkdir()
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return project


def test_its_calls_reach_mlflow_and_its_death_is_an_outage(root: Path) -> None:
    printed = script(
        root,
        """
with start("sqlite:///runs/mlflow.db", Path.cwd()) as mlflow:
    run_id, _ = mlflow.store.open(FACTS, 1.0)
    mlflow.store.log_metrics(run_id, [("val/loss", .5, 2.0, 1)])
    mlflow.store.end(run_id, "FINISHED", 3.0)
    print(json.dumps([run_id, sorted(mlflow.monitor.measure())]))
    attempt(mlflow.store.no_such_method)
    (process,) = psutil.Process().children()
    process.kill()
    process.wait()
    attempt(mlflow.store.reopen, run_id)
    attempt(mlflow.monitor.measure)
""",
    )
    first, unknown, *dead = printed.splitlines()
    run_id, measured = json.loads(first)
    from mlflow import MlflowClient

    run = MlflowClient(f"sqlite:///{root}/runs/mlflow.db").get_run(run_id)
    assert (run.info.status, run.info.end_time, run.data.metrics) == ("FINISHED", 3000, {"val/loss": 0.5})
    assert "system/cpu_utilization_percentage" in measured
    assert "no_such_method" in unknown
    assert dead == ["OutageError the process that calls MLflow ended"] * 2


def test_its_errors_are_raised_here(root: Path) -> None:
    printed = script(
        root,
        """
for uri in "sqlite:///gone/mlflow.db", "http://127.0.0.1:1":
    with start(uri, Path.cwd()) as mlflow:
        attempt(mlflow.store.open, FACTS, 1.0)
""",
    )
    refused, down = printed.splitlines()
    assert refused.startswith("LaunchError tracking.uri=sqlite:///gone/mlflow.db: ")
    assert down.startswith("OutageError")


def test_it_ends_with_its_parent_however_that_ends(root: Path) -> None:
    printed = script(
        root,
        """
with start("sqlite:///runs/mlflow.db", Path.cwd()):
    print(psutil.Process().children()[0].pid, flush=True)
    os._exit(0)
""",
    )
    assert not left([int(printed)], within_s=60)
