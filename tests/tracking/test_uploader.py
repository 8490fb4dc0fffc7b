"""Training never waits for MLflow for long, and the user learns where the remaining events are."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LaunchError
from pipeline.runs.events import EventLog
from pipeline.tracking import uploader as module
from pipeline.tracking.mlflow_store import OutageError
from pipeline.tracking.system_metrics import MachineMonitor
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.tracking.uploader import Uploader
from tests.tracking.test_upload_queue import RUN, FakeMLflow


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"POLL_S": 0.02, "RETRY_S": 0.05, "OPEN_S": 0.2}.items():
        monkeypatch.setattr(module, name, seconds)


class Moody(FakeMLflow):
    """Down while `down` is set; hangs while `hanging` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.down: Exception | None = None
        self.hanging = threading.Event()
        self.hanging.set()

    def call(self) -> None:
        self.hanging.wait(30)
        if self.down:
            raise self.down


def sender(folder: Path, mlflow: FakeMLflow, lines: list[str]) -> tuple[Uploader, EventLog]:
    log = EventLog(folder)
    log.append(run=RUN)
    queue = UploadQueue(folder, mlflow)  # type: ignore[arg-type]
    return Uploader(queue, MachineMonitor(), log, "http://m", lines.append), log


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_an_outage_in_the_middle_is_reported_once_and_made_up_for(tmp_path: Path) -> None:
    mlflow, lines = Moody(), list[str]()
    sending, log = sender(tmp_path, mlflow, lines)
    with sending:
        mlflow.down = OutageError("refused")
        log.append(step=1, epoch=0, metrics={"val/loss": 0.5})
        until(lambda: lines)
        time.sleep(0.2)  # several tries more
        mlflow.down = None
        log.append(status="FINISHED")
        sending.finish(5)
    assert len(mlflow.points) == 1
    assert mlflow.calls_made == ["FINISHED"]
    assert [line.split()[0] for line in lines] == ["WARNING", "tracking"]
    assert "can't be reached: refused" in lines[0]


def test_a_server_that_never_answers_holds_nobody_up(tmp_path: Path) -> None:
    mlflow, lines = Moody(), list[str]()
    mlflow.hanging.clear()
    started = time.monotonic()
    sending, log = sender(tmp_path, mlflow, lines)
    with sending:
        log.append(step=1, epoch=0, metrics={"val/loss": 0.5})
        sending.finish(0.2)
    assert time.monotonic() - started < 5
    assert "no answer" in lines[0]
    assert f"2 events wait for MLflow at http://m: `pipeline sync {tmp_path.name}`" in lines[-1]
    mlflow.hanging.set()
    sending.thread.join(10)


def test_even_a_mistake_of_ours_does_not_stop_training(tmp_path: Path) -> None:
    mlflow, lines = Moody(), list[str]()
    mlflow.down = ZeroDivisionError("oops")
    sending, _ = sender(tmp_path, mlflow, lines)
    with sending:
        sending.finish(1)
    assert "ZeroDivisionError('oops')" in lines[0]
    assert "pipeline sync" in lines[-1]


def test_a_store_that_will_never_take_the_run_is_an_error_before_training(tmp_path: Path) -> None:
    mlflow = Moody()
    mlflow.down = LaunchError("old schema")
    sending, log = sender(tmp_path, mlflow, [])
    with pytest.raises(LaunchError, match="old schema"), sending:
        pass
    log.close()


def test_the_machines_load_is_measured_as_mlflow_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYSTEM_S", 0.05)
    mlflow = Moody()
    sending, _ = sender(tmp_path, mlflow, [])
    with sending:
        until(lambda: mlflow.points)
        sending.finish(5)
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= {
        p[0] for p in mlflow.points
    }
