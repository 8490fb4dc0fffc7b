"""What MLflow is told, and what happens when it can't be."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import tracking
from pipeline.errors import LaunchError
from pipeline.types import DataSet

DATA = DataSet("mnist", "ab" * 32, {"train": 1, "val": 1, "test": 1})


def open_run(uri: str, root: Path):  # type: ignore[no-untyped-def]
    (root / "runs").mkdir(exist_ok=True)
    return tracking.open_run(
        uri, root=root, name="n", description="d", params={"a": 1}, tags={"seed": "0"}, data=DATA, run_id=None
    )


def test_a_relative_data_base_belongs_to_the_project() -> None:
    root = Path("/somewhere")
    assert tracking.resolve_uri("sqlite:///runs/mlflow.db", root) == "sqlite:////somewhere/runs/mlflow.db"
    odd = Path("/a ü/100%41")  # SQLAlchemy decodes what looks encoded
    assert tracking.resolve_uri("sqlite:///x.db", odd) == "sqlite:////a ü/100%2541/x.db"
    assert tracking.resolve_uri("sqlite:////else/x.db", root) == "sqlite:////else/x.db"
    assert tracking.resolve_uri("http://server:5000", root) == "http://server:5000"


@pytest.mark.parametrize("text", ["http://user:secret@host/x", "see postgresql://secret@host, then"])
def test_passwords_are_redacted(text: str) -> None:
    assert "secret" not in tracking.redact(text)
    assert "host" in tracking.redact(text)


def test_a_server_that_is_down_is_named_without_its_password_and_soon(tmp_path: Path) -> None:
    started = time.monotonic()
    named = r"tracking.uri=http://\*\*\*@127.0.0.1:9: can't be opened"
    with pytest.raises(LaunchError, match=named) as error, open_run("http://user:canary@127.0.0.1:9", tmp_path):
        pass
    assert "canary" not in str(error.value)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_run_ends_as_its_block_ended(
    project: Path, empty_database: Path, error: BaseException | None, status: str
) -> None:
    from mlflow import MlflowClient

    (project / "runs").mkdir()
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    events = [{"time": 1.0, "step": 3, "epoch": 0, "metrics": {"val/loss": 0.5}}, {"time": 1, "step": 4}]
    with suppress(ValueError, KeyboardInterrupt), open_run("sqlite:///runs/mlflow.db", project) as run:
        run.log_events(events)
        if error:
            raise error
    stored = MlflowClient(f"sqlite:///{project}/runs/mlflow.db").get_run(run.run_id)
    assert stored.info.status == status
    assert stored.data.metrics["val/loss"] == 0.5
    assert stored.inputs.dataset_inputs[0].dataset.name == "mnist"
    assert Path(stored.info.artifact_uri.removeprefix("file://")).is_relative_to(project / "runs/artifacts")


def test_the_server_listens_on_loopback_alone_and_runs_no_jobs(tmp_path: Path) -> None:
    command, environment = tracking.server_command("sqlite:///runs/mlflow.db", tmp_path, 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "*" not in command[command.index("--allowed-hosts") + 1]
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
