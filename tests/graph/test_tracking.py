"""A reproduction in MLflow: one run, with the runs of its trainings below it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.graph import tracking
from pipeline.graph.driver import Driver, Progress
from pipeline.graph.plan import Plan
from pipeline.runs import records
from pipeline.tracking.run import describe, log_end, log_start
from pipeline.types import DataSet


class Store:
    """In the place of MLflow: runs by their ids, which are their names."""

    runs: dict[str, dict[str, Any]]

    def __init__(self, uri: str, root: Path):
        """Connect to nothing."""

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        yield

    def open(self, run: dict[str, Any], started_s: float) -> tuple[str, str]:
        self.runs[run["name"]] = {**run["tags"]}
        return run["name"], run["dataset"]["name"]

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        self.runs[run_id] |= tags

    def log_metrics(self, run_id: str, points: list[Any]) -> None:
        self.runs[run_id] |= {name: value for name, value, *_ in points}

    def end(self, run_id: str, status: str, ended_s: float) -> None:
        self.runs[run_id]["status"] = status


def run(root: Path, name: str, stage: str, started: float) -> None:
    run_dir = root / "runs" / name
    run_dir.mkdir(parents=True)
    record = {"experiment": "x", "model": "m", "seed": 0, "status": "finished", "run_id": None}
    (run_dir / records.RECORD).write_text(json.dumps({**record, "dvc_stage": stage, "started": started}))
    (run_dir / records.CONFIG).write_text(json.dumps({"resolved": {"tracking": {"uri": "sqlite:///x"}}}))
    facts = describe(name=name, description="", params={}, tags={}, data=DataSet("mnist", "d", {}))
    log_start(run_dir, facts)
    log_end(run_dir, tags={}, status="FINISHED")


@pytest.fixture
def loop(project: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver after its end: two trainings done, one unchanged, one failed."""
    monkeypatch.setattr(Store, "runs", {}, raising=False)
    monkeypatch.setattr(tracking, "MLflowStore", Store)
    for number, (name, stage) in enumerate(
        [("old", "train@a"), ("new", "train@a"), ("b", "train@b"), ("c", "train@c")]
    ):
        run(project, name, stage, number)
    stages = {"train@a": "done", "train@b": "done", "train@c": "unchanged", "train@d": "failed"}
    progress = {name: Progress(name, 1.0, state=state, seconds=2.0) for name, state in stages.items()}
    return Driver(Plan(None, {}, {}), project, 2, False, lambda *_: None, stages=progress)


def test_the_newest_run_of_each_stage_that_trained_is_below_the_reproductions_run(loop: Driver, project: Path) -> None:
    parent = tracking.track(loop, project, ["quick", "cluster=ray"])
    assert parent is not None
    children = {name for name, run in Store.runs.items() if run.get(tracking.PARENT) == parent}
    assert children == {"new", "b"}
    own = Store.runs[parent]
    assert own["command"] == "pipeline repro quick cluster=ray"
    assert {name: own[f"stages/{name}"] for name in ("done", "unchanged", "failed")} == {
        "done": 2,
        "unchanged": 1,
        "failed": 1,
    }
    assert own["status"] == "FAILED"
    assert "- train@a: [new](#/experiments/mnist/runs/new)" in own["mlflow.note.content"]
    assert records.read(project / "runs/new")["run_id"] == "new"
    assert not list(project.glob(".cache/repro/runs/*"))


def test_nothing_is_recorded_where_nothing_was_trained(loop: Driver, project: Path) -> None:
    loop.stages = {"collect@a": Progress("collect@a", 1.0, state="done")}
    assert tracking.track(loop, project, []) is None
    assert not Store.runs
