"""The trained model that a page shows."""

import json
import os
import threading
from pathlib import Path

import pytest

from pipeline.app import stored
from pipeline.errors import ConfigError
from pipeline.runs import checkpoints, lookup, records
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.registry import Registry
from tests.tracked import URI, track


def make(root: Path, place: str) -> None:
    """A folder with a model's manifest."""
    (root / place).mkdir(parents=True)
    (root / place / checkpoints.MANIFEST).write_text("{}")


def finished(root: Path, name: str, experiment: str, started: int) -> None:
    make(root, f"runs/{name}/model")
    facts = {"name": name, "experiment": experiment, "data": "mnist", "status": "finished", "started": started}
    (root / f"runs/{name}/run.json").write_text(json.dumps(facts))


@pytest.fixture
def root(project: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stored, "_load", lambda folder, changed: folder)
    (project / "runs").mkdir()
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return project


def source(root: Path, experiment: str = "mnist_cnn") -> str | None:
    found = stored.find_model(root, experiment)
    return found.source if found else None


def test_a_run_comes_before_what_was_recorded_and_the_newest_before_the_others(root: Path) -> None:
    assert source(root) is None
    make(root, "models/mnist_cnn-0")
    assert source(root) == "models/mnist_cnn-0 (recorded)"
    finished(root, "old", "mnist_cnn", 1)
    finished(root, "new", "mnist_cnn", 2)
    finished(root, "other", "mnist_cnnish", 3)
    assert source(root) == "run new"


def test_a_model_whose_class_was_renamed_is_passed_over_for_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(root, "old", "mnist_cnn", 1)
    finished(root, "new", "mnist_cnn", 2)

    def load(folder: Path, changed: int) -> Path:
        if "new" in folder.parts:
            raise ConfigError("mine.Net: not found.")
        return folder

    monkeypatch.setattr(stored, "_load", load)
    assert source(root) == "run old"


def test_the_registrys_champion_comes_first_in_its_experiments_place_and_its_variants(root: Path) -> None:
    finished(root, "new", "mnist_cnn", 2)
    finished(root, "best", "mnist_cnn_best", 1)
    finished(root, "mlp", "mlp_mnist", 1)
    assert source(root) == "run new"
    run_id = track(root, "best")
    registry = Registry(MLflowStore(URI, root), "mnist")
    version = registry.register(run_id, {}, "A card.")
    assert source(root) == "run new"  # a version that no alias names
    registry.set_alias(version)
    stored._champions.clear()
    assert source(root) == "models:/mnist@champion, version 1: best"
    assert source(root, "mlp_mnist") == "run mlp"
    # Without MLflow the page still has a model.
    stored._champions.clear()
    (root / "runs/mlflow.db").write_bytes(b"no data base")
    assert source(root) == "run new"


def test_while_mlflow_does_not_answer_one_page_waits_and_the_others_do_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = threading.Event(), threading.Event()

    def ask(root: Path, data: str) -> tuple[str, str]:
        asked.set()
        assert answers.wait(30)
        return ("1", "abc")

    monkeypatch.setattr(stored, "_champions", {})
    monkeypatch.setattr(stored, "_query_champion", ask)
    page = threading.Thread(target=stored._champion, args=(root, "mnist"))
    page.start()
    try:
        assert asked.wait(30)
        assert stored._champion(root, "mnist") is None
    finally:
        answers.set()
        page.join()
    assert stored._champion(root, "mnist") == ("1", "abc")


def test_a_run_is_running_as_long_as_its_lock_is_held_whatever_process_has_its_number(root: Path) -> None:
    finished(root, "new", "mnist_cnn", 1)
    path = root / "runs/new/run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "running", "pid": os.getpid()}))
    assert [record["status"] for record in lookup.listing(root)] == ["interrupted"]
    with records.lock(root / "runs/new"):
        assert [record["status"] for record in lookup.listing(root)] == ["running"]
