"""Sweeps: trials under Ray Tune, a driver that dies, parent and children in MLflow, and refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import sweep, trials
from pipeline.actions import train as training
from pipeline.errors import ConfigError, Interrupted, LaunchError
from pipeline.launch import sweep as tune
from pipeline.report.sweep import parallel_coordinates
from pipeline.runs import events, lookup, records
from pipeline.runs.records import RunRecord
from pipeline.tracking.run import log_start
from tests.conftest import Quiet

SEARCH = ["experiment=digits_mlp", "model.net.hidden=[16]", "model.optimizer.lr=choice(0.0001,0.003,0.01)"]


@pytest.mark.parametrize(
    ("overrides", "count", "words"),
    [
        (["experiment=digits_mlp"], 3, "Nothing to search"),
        ([*SEARCH], 0, "--trials 0: expected 1 or more"),
        ([*SEARCH, "model.optimizer.rate=choice(1,2)"], 2, r"rate: .*no such"),
        ([*SEARCH, "trainer.max_epoch=choice(1,2)"], 2, r"trainer.max_epoch: no such key. Did you mean .*max_epochs"),
        ([*SEARCH, "data.batch_size=choice(0,0.5)"], 2, "data.batch_size: expected a"),
        ([*SEARCH, "cluster.workers=2"], 2, "trials have one worker each"),
        (["experiment=imdb_tfidf", "seed=range(0,3)"], 2, "not trained by epochs"),
        (["model=mlp", "data=choice(digits,mnist)"], 2, "can't be compared"),
        (["experiment=mnist_gan", "seed=range(0,3)"], 2, "mnist_gan: its validation has no score"),
        (["experiment=imdb_lm_small", "seed=range(0,3)"], 2, "imdb_lm_small: its validation has no score"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_starts(
    project: Path, overrides: list[str], count: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        sweep.sweep(overrides, count, Quiet(), root=project)
    assert not (project / "runs").exists()


def test_only_an_unfinished_sweep_is_resumed_and_only_as_a_sweep(project: Path) -> None:
    folder = project / "runs/one"
    folder.mkdir(parents=True)
    record = {"name": "one", "status": "finished", "started": 0.0, "run_dir": str(folder)}
    (folder / records.RECORD).write_text(json.dumps(record))
    with pytest.raises(LaunchError, match=r"is not a sweep. `pipeline resume one`"):
        sweep.resume("one", Quiet(), root=project)
    records.update(folder, sweep={"keys": [], "train": []})
    with pytest.raises(LaunchError, match="one is finished"):
        sweep.resume("one", Quiet(), root=project)
    with pytest.raises(LaunchError, match=r"is a sweep\. Resume it: `pipeline sweep --resume one`"):
        training.resume("one", Quiet(), root=project)


def test_the_best_is_one_that_trained_to_its_end() -> None:
    def trial(name: str, status: str, score: float) -> RunRecord:
        return {"name": name, "status": status, "score": score}

    found = [trial("a", "stopped early", 99.0), trial("b", "finished", 97.0), trial("c", "finished", 98.0)]
    assert trials.best([*found, trial("d", "finished", 98.0)])["name"] == "c"
    with pytest.raises(LaunchError, match=r"All 1 trials failed\. The first: no room"):
        trials.best([{"status": "failed", "error": "no room"}])


def test_the_picture_takes_words_numbers_and_equal_scores(tmp_path: Path) -> None:
    rows = [(["0.001", "sgd", "8"], 97.0), (["0.1", "adam", "8"], 97.0)]
    parallel_coordinates(["lr", "optimizer", "+batch"], rows, "accuracy", 0, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_trial_that_ended_just_before_the_driver_died_is_sent_to_mlflow_by_the_resumed_sweep(
    project: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "runs").mkdir()
    shutil.copy(empty_database, project / "runs/mlflow.db")
    monkeypatch.setattr("pipeline.launch.sweep.run", _end_at_once)
    update = records.update

    def die(run_dir: Path, /, **facts: Any) -> None:
        update(run_dir, **facts)
        if facts.get("status") in trials.ENDED and run_dir.name == "002":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(records, "update", die)
        with pytest.raises(Interrupted):
            sweep.sweep([*SEARCH, "trainer.max_epochs=1"], 3, Quiet(), root=project)
    run_dir = next((project / "runs").glob("sweep-*"))
    assert [record["status"] for record in lookup.trials(run_dir)] == ["finished", "finished", "created"]

    summary = sweep.resume(run_dir.name, Quiet(), root=project)
    _, children = _in_mlflow(project, str(summary["run_id"]))
    assert sorted((run.info.run_name, run.info.status) for run in children) == [
        (f"{run_dir.name}/{number:03}", "FINISHED") for number in (1, 2, 3)
    ]
    assert {run.data.tags["outcome"] for run in children} == {"finished"}


def _end_at_once(trials: Sequence[tune.Trial], *, on_end: tune.OnEnd, **_: Any) -> None:
    """In the place of Ray Tune: every trial learns all there is in one epoch."""
    for trial in trials:
        if not trial.ended:
            log_start(trial.run_dir, trial.facts)
            log = events.EventLog(trial.run_dir)
            log.append(step=1, epoch=0, metrics={"val/accuracy": 0.5})
            log.close()
            (trial.run_dir / "model").mkdir()
        on_end(trial.run_dir, 1, None)


@pytest.mark.slow
def test_a_sweep_whose_driver_was_killed_is_resumed_and_ends_with_all_trials_in_mlflow(
    project: Path, empty_database: Path
) -> None:
    (project / "runs").mkdir()
    shutil.copy(empty_database, project / "runs/mlflow.db")
    search = ["trainer.max_epochs=40", "trainer.checkpoint_every_steps=50", *SEARCH, "--trials", "3"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    driver = subprocess.Popen([sys.executable, "-m", "pipeline", "sweep", *search], cwd=project, env=environment)
    _until(lambda: any(record["status"] in trials.ENDED for record in _trials(project)), 400)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = _trials(project)
    run_dir = next((project / "runs").glob("sweep-*"))
    assert records.read(run_dir)["status"] == "interrupted"
    assert sum(record["status"] == "created" for record in before) >= 1

    console = Quiet()
    summary = sweep.resume(run_dir.name, console, root=project)
    after = lookup.trials(run_dir)
    assert {record["status"] for record in after} <= {"finished", "stopped early"}
    for old, new in zip(before, after, strict=True):  # what had ended was not done again
        if old["status"] in trials.ENDED:
            assert new == old
    best = {record["name"]: record for record in after}[summary["best"]["name"]]
    last = [event["metrics"] for event in events.read(Path(best["run_dir"]))[0] if "metrics" in event][-1]
    assert summary["best"]["score"] == pytest.approx(100 * last["val/accuracy"])
    assert Path(summary["figure"]).is_file()
    assert summary["command"].startswith("pipeline train trainer.max_epochs=40")

    found, children = _in_mlflow(project, str(summary["run_id"]))
    assert len(found) == 4
    assert len(children) == 3
    assert {run.info.status for run in children} == {"FINISHED"}
    assert all("val/accuracy" in run.data.metrics for run in children)
    assert not [name for run in found for name in run.data.metrics if name.startswith("test/")]
    from mlflow import MlflowClient

    figures = MlflowClient(f"sqlite:///{project}/runs/mlflow.db").list_artifacts(summary["run_id"])
    assert [file.path for file in figures] == [sweep.FIGURE]


def _in_mlflow(project: Path, parent: str) -> tuple[list[Any], list[Any]]:
    """All runs in MLflow, and the children of one."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/runs/mlflow.db")
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return found, [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent]


def _trials(project: Path) -> list[RunRecord]:
    return [record for folder in (project / "runs").glob("sweep-*") for record in lookup.trials(folder)]


def _until(true: Any, limit_s: float) -> None:
    ends = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.5)
