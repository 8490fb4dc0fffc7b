"""A real MLflow store: what it stores, what is refused, and what a lost response leaves behind."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LaunchError
from pipeline.runs.events import EventLog
from pipeline.tracking.mlflow_process import MLflow
from pipeline.tracking.mlflow_store import MLflowStore, OutageError
from pipeline.tracking.run import open_run
from pipeline.tracking.system_metrics import MachineMonitor
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import DataSet, RunStart

DATA = DataSet("mnist", "ab" * 32, {"train": 1, "val": 1, "test": 1})
URI = "sqlite:///runs/mlflow.db"


@pytest.fixture
def root(project: Path, empty_database: Path) -> Path:
    (project / "runs/r").mkdir(parents=True)
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return project


def a_run(root: Path, lines: list[str] | None = None, name: str = "n") -> Any:
    print_line = (lines if lines is not None else []).append
    facts: dict[str, Any] = {"name": name, "description": "d", "params": {"a": 1}, "tags": {"seed": "0"}, "data": DATA}
    mlflow = MLflow(MLflowStore(URI, root), MachineMonitor())
    return open_run(mlflow, URI, run_dir=root / "runs/r", print_line=print_line, **facts)


def stored(root: Path) -> Any:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/runs/mlflow.db")
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return run


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_run_ends_as_its_block_ended(root: Path, error: BaseException | None, status: str) -> None:
    with suppress(ValueError, KeyboardInterrupt), a_run(root) as run:
        run.event_log.append(time=1.0, step=3, epoch=0, metrics={"val/loss": 0.5})
        if error:
            raise error
    found = stored(root)
    assert (found.info.run_id, found.info.run_name, found.info.status) == (run.ids["run_id"], "n", status)
    assert found.data.metrics["val/loss"] == 0.5
    assert (found.data.params, found.data.tags["seed"]) == ({"a": "1"}, "0")
    assert found.inputs.dataset_inputs[0].dataset.name == "mnist"
    assert Path(found.info.artifact_uri.removeprefix("file://")).is_relative_to(root / "runs/artifacts")


def test_a_resumed_run_is_the_same_run_and_counts_its_restarts(root: Path) -> None:
    for _ in range(3):
        with suppress(ValueError), a_run(root):
            raise ValueError
    with a_run(root):
        pass
    found = stored(root)
    assert (found.info.status, found.data.tags["restarts"]) == ("FINISHED", "3")


def test_lost_responses_leave_one_run_and_no_doubled_point(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(root / "runs/r")
    facts: RunStart = {
        "key": "k",
        "name": "n",
        "params": {"a": "1"},
        "tags": {},
        "dataset": {"name": "d", "digest": "0"},
    }
    log.append(run=facts)
    log.append(step=1, epoch=0, metrics={"val/loss": 0.5})
    log.append(status="FINISHED")
    log.close()
    lost: set[str] = set()

    def losing(name: str) -> Any:
        honest = getattr(MLflowStore, name)

        def call(self: MLflowStore, *arguments: Any) -> Any:
            answer = honest(self, *arguments)
            if name not in lost:
                lost.add(name)
                raise OutageError("the response was lost")
            return answer

        return call

    for name in ("open", "log_metrics", "end"):
        monkeypatch.setattr(MLflowStore, name, losing(name))
    for _ in range(3):
        with pytest.raises(OutageError):
            UploadQueue(root / "runs/r", MLflowStore(URI, root)).send()
    UploadQueue(root / "runs/r", MLflowStore(URI, root)).send()
    assert stored(root).info.status == "FINISHED"
    with closing(sqlite3.connect(root / "runs/mlflow.db")) as database:
        assert database.execute("select key, step, value from metrics").fetchall() == [("val/loss", 1, 0.5)]
        assert database.execute("select count(*) from inputs").fetchone() == (1,)


def test_two_runs_that_bring_the_same_data_at_once_are_both_stored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    honest, refusals = MlflowClient.log_inputs, [MlflowException("(UniqueViolation) duplicate key", 4)]

    def second(self: MlflowClient, *arguments: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return honest(self, *arguments)

    monkeypatch.setattr(MlflowClient, "log_inputs", second)
    lines: list[str] = []
    with a_run(root, lines):
        pass
    assert not lines
    assert not refusals
    assert stored(root).inputs.dataset_inputs[0].dataset.name == "mnist"


@pytest.mark.parametrize("deleted", ["experiment", "run"])
def test_a_deleted_experiment_or_run_keeps_the_events_and_names_the_command_that_restores_it(
    root: Path, deleted: str
) -> None:
    from mlflow import MlflowClient

    with a_run(root) as run:
        ids = run.ids
    client = MlflowClient(f"sqlite:///{root}/runs/mlflow.db")
    if deleted == "experiment":
        client.delete_experiment(ids["experiment_id"])
        command = f"mlflow experiments restore --experiment-id {ids['experiment_id']}`"
    else:
        client.delete_run(ids["run_id"])
        command = f"mlflow runs restore --run-id {ids['run_id']}`"
    lines: list[str] = []
    with a_run(root, lines) as run:
        run.event_log.append(step=3, epoch=0, metrics={"val/loss": 0.5})
    assert f"MLFLOW_TRACKING_URI=sqlite:///{root}/runs/mlflow.db {command}" in lines[0]
    assert "pipeline sync r" in lines[-1]
    if deleted == "experiment":
        client.restore_experiment(ids["experiment_id"])
    else:
        client.restore_run(ids["run_id"])
    UploadQueue(root / "runs/r", MLflowStore(URI, root)).send()
    found = stored(root)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"val/loss": 0.5})


def test_a_new_run_in_a_deleted_experiment_trains_and_names_the_command_that_restores_it(root: Path) -> None:
    client = MLflowStore(URI, root).client
    identifier = client.create_experiment(DATA.name)
    client.delete_experiment(identifier)
    lines: list[str] = []
    with a_run(root, lines):
        pass
    assert f"mlflow experiments restore --experiment-id {identifier}`" in lines[0]


def test_an_old_schema_is_named_and_left_alone(root: Path) -> None:
    with closing(sqlite3.connect(root / "runs/mlflow.db")) as database:
        database.execute("update alembic_version set version_num = '4465047574b1'")
        database.execute("drop table trace_info")  # MLflow migrates a data base that lacks a table, unasked
        database.commit()
    before = (root / "runs/mlflow.db").read_bytes()
    with pytest.raises(LaunchError, match=r"schema 4465047574b1, .* `mlflow db upgrade sqlite:"), a_run(root):
        raise AssertionError("training began")
    assert (root / "runs/mlflow.db").read_bytes() == before


def test_a_locked_data_base_is_waited_for_a_little_and_then_left_to_sync(root: Path) -> None:
    lines: list[str] = []
    with closing(sqlite3.connect(root / "runs/mlflow.db", isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        with a_run(root, lines) as run:
            run.event_log.append(step=3, epoch=0, metrics={"val/loss": 0.5})
        holder.execute("rollback")
    assert "database is locked" in lines[0]
    assert "pipeline sync r" in lines[-1]
    UploadQueue(root / "runs/r", MLflowStore(URI, root)).send()
    found = stored(root)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"val/loss": 0.5})
