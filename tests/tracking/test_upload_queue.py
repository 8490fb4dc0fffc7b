"""The upload queue sends every event to MLflow in order, once, whichever call fails."""

import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LaunchError
from pipeline.runs.events import EventLog
from pipeline.tracking.mlflow_store import OutageError, RefusedError
from pipeline.tracking.upload_queue import STATE, UploadQueue, points
from pipeline.types import Event, RunStart

RUN: RunStart = {"key": "k", "name": "n", "params": {}, "tags": {}, "dataset": {"name": "d", "digest": "0"}}


class FakeMLflow:
    """MLflow's state; a call may fail before it is applied, or after (its response is lost).

    Like MLflow's data base it stores an exact repetition of a point once.
    """

    def __init__(self, failing: int = -1, applied: bool = False, error: type[Exception] = OutageError) -> None:
        self.calls, self.failing, self.applied, self.error = 0, failing, applied, error
        self.points: set[tuple[str, float, float, int]] = set()
        self.calls_made: list[Any] = []
        self.runs: dict[str, str] = {}

    @contextmanager
    def translated_errors(self) -> Any:
        yield

    def call(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.failing:
            raise self.error("down")

    def apply(self, act: Any) -> Any:
        if self.applied:
            result = act()
            self.call()
            return result
        self.call()
        return act()

    def open(self, run: dict[str, Any], started_s: float) -> tuple[str, str]:
        return self.apply(lambda: (self.runs.setdefault(run["key"], f"id{len(self.runs)}"), "1"))  # type: ignore[no-any-return]

    def reopen(self, run_id: str) -> None:
        self.apply(lambda: self.calls_made.append("RUNNING"))

    def end(self, run_id: str, status: str, time_s: float) -> None:
        self.apply(lambda: self.calls_made.append(status))

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        self.apply(lambda: self.calls_made.append(tags))

    def log_files(self, run_id: str, folder: Path, under: str | None) -> None:
        self.apply(lambda: self.calls_made.append(folder.name))

    def log_model(self, run_id: str, experiment: str, *files: Path) -> None:
        self.apply(lambda: self.calls_made.append(files[0].name))

    def log_metrics(self, run_id: str, points: Any) -> None:
        self.apply(lambda: self.points.update(points))


def a_run(folder: Path, epochs: int = 3) -> None:
    log = EventLog(folder)
    log.append(run=RUN)
    for epoch in range(epochs):
        log.append(time=5.0 * epoch, step=epoch * 10, epoch=epoch, total=30, loss=0.5)
        log.append(step=epoch * 10, epoch=epoch, metrics={"val/loss": 1 / (epoch + 1), "train/loss": 2.0})
    log.append(final={"test/loss": 0.1})
    log.append(files="figures", under=None)
    log.append(model="model.onnx", example="example.npz")
    log.append(status="FINISHED")
    log.close()


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("failing", range(5))  # open, points, figures, model, end
def test_an_outage_at_any_call_loses_nothing_and_doubles_nothing(tmp_path: Path, failing: int, applied: bool) -> None:
    a_run(tmp_path)
    mlflow = FakeMLflow(failing, applied)
    queue = UploadQueue(tmp_path, mlflow)  # type: ignore[arg-type]
    with pytest.raises(OutageError):
        queue.send()
    assert queue.waiting() > 0
    later = UploadQueue(tmp_path, mlflow)  # type: ignore[arg-type] # another process, with only the files
    later.send()
    assert later.waiting() == 0
    places = Counter((name, step) for name, _, _, step in mlflow.points)
    assert places == {("val/loss", 1): 1, ("val/loss", 2): 1, ("val/loss", 3): 1, ("test/loss", 0): 1} | {
        **{("train/loss", step): 1 for step in (1, 2, 3)},
        **{("batch/loss", step): 1 for step in (0, 10, 20)},
    }
    assert list(dict.fromkeys(mlflow.calls_made)) == ["figures", "model.onnx", "FINISHED"]
    assert list(mlflow.runs) == ["k"]


def test_epochs_that_a_resumed_run_repeats_are_told_once(tmp_path: Path) -> None:
    mlflow = FakeMLflow()
    log = EventLog(tmp_path)
    log.append(run=RUN)
    for _ in range(2):
        log.append(step=1, epoch=0, metrics={"val/loss": 0.5})
        log.append(step=2, epoch=1, metrics={"val/loss": 0.25})
        UploadQueue(tmp_path, mlflow).send()  # type: ignore[arg-type]
        log.append(run={**RUN, "key": "another"})
    log.close()
    assert sorted((step, value) for _, value, _, step in mlflow.points) == [(1, 0.5), (2, 0.25)]
    assert mlflow.calls_made == ["RUNNING"]
    assert list(mlflow.runs) == ["k"]


def test_what_mlflow_refuses_is_noted_and_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    a_run(tmp_path)
    mlflow = FakeMLflow(failing=2, error=RefusedError)  # the figures
    queue = UploadQueue(tmp_path, mlflow)  # type: ignore[arg-type]
    queue.send()
    assert mlflow.calls_made == ["model.onnx", "FINISHED"]
    assert json.loads((tmp_path / STATE).read_text())["refused"] == ["down"]


def test_a_run_that_mlflow_refuses_is_an_error_of_the_users(tmp_path: Path) -> None:
    a_run(tmp_path)
    with pytest.raises(LaunchError, match="MLflow refuses this run: down"):
        UploadQueue(tmp_path, FakeMLflow(failing=0, error=RefusedError)).send()  # type: ignore[arg-type]


def test_a_run_from_before_has_nothing_to_tell(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(step=1, epoch=0, metrics={"val/loss": 0.5})
    log.close()
    mlflow = FakeMLflow()
    queue = UploadQueue(tmp_path, mlflow)  # type: ignore[arg-type]
    assert queue.waiting() == 0
    queue.send()
    assert mlflow.calls == 0


def test_two_processes_never_tell_of_the_same_run_at_once(tmp_path: Path) -> None:
    first, second = (UploadQueue(tmp_path, FakeMLflow()) for _ in range(2))  # type: ignore[arg-type]
    with first.locked(), pytest.raises(LaunchError, match="another process sends its events"), second.locked():
        pass


def test_the_loss_of_a_batch_is_sent_every_few_seconds_at_its_optimiser_step() -> None:
    progress: list[Event] = [
        {"time": 100 + i / 2, "step": 3 * i, "epoch": 0, "loss": 1 / (i + 1)} for i in range(1, 22)
    ]
    sent = [point for event in progress for point in points(event)]
    assert sent == [("batch/loss", 1 / (i + 1), 100 + i / 2, 3 * i) for i in (1, 10, 11, 20, 21)]
