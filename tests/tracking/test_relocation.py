"""A project's folder that was moved or copied stores artifacts where it stands now."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LaunchError
from pipeline.tracking.relocation import relocate
from tests.tracked import URI
from tests.tracking.test_mlflow_store import a_run


@pytest.fixture
def copied(tmp_path: Path, empty_database: Path) -> tuple[Path, Path]:
    """A project with one tracked run and its artifacts, and a copy of the project."""
    first, second = tmp_path / "first é", tmp_path / "first é again"
    (first / "runs/r").mkdir(parents=True)
    shutil.copy(empty_database, first / "runs/mlflow.db")
    _track(first, "old")
    shutil.copytree(first, second)
    shutil.rmtree(second / "runs/r")
    (second / "runs/r").mkdir()
    return first, second


def test_a_copied_project_stores_new_artifacts_in_itself_and_finds_the_old_ones(copied: tuple[Path, Path]) -> None:
    first, second = copied
    before = sorted(first.rglob("*"))
    _track(second, "new")
    assert sorted(first.rglob("*")) == before
    found = {run.info.run_name: run.info for run in _runs(second)}
    assert set(found) == {"old", "new"}
    for name, info in found.items():
        (file,) = _client(second).list_artifacts(info.run_id)
        assert Path(_client(second).download_artifacts(info.run_id, file.path)).read_text() == name
        assert info.artifact_uri.startswith((second / "runs/artifacts").as_uri())
    assert {run.info.artifact_uri.startswith(first.as_uri() + "/") for run in _runs(first)} == {True}


def test_a_moved_project_is_relocated_once(copied: tuple[Path, Path]) -> None:
    first, second = copied
    shutil.rmtree(first)
    assert relocate(URI, second) == [str(first)]
    assert relocate(URI, second) == []


def test_a_link_to_the_project_is_not_another_project(copied: tuple[Path, Path]) -> None:
    first, second = copied
    shutil.rmtree(second)
    second.symlink_to(first)
    assert relocate(URI, second) == []


def test_artifacts_that_were_left_behind_are_named_with_the_command_that_copies_them(
    copied: tuple[Path, Path],
) -> None:
    second = copied[1]
    shutil.rmtree(second / "runs/artifacts")
    content = (second / "runs/mlflow.db").read_bytes()
    with pytest.raises(LaunchError, match=r"were not copied along\. Copy them: `cp -r "):
        relocate(URI, second)
    assert (second / "runs/mlflow.db").read_bytes() == content


def test_a_data_base_outside_the_project_keeps_its_locations(copied: tuple[Path, Path]) -> None:
    first, second = copied
    assert relocate(f"sqlite:///{first}/runs/mlflow.db", second) == []
    assert relocate("http://127.0.0.1:9", second) == []


def _track(root: Path, name: str) -> None:
    """Track a run with one artifact, whose content is the run's name."""
    figures = root / "runs/r/figures"
    figures.mkdir()
    (figures / "name.txt").write_text(name)
    with a_run(root, name=name) as run:
        run.log_result({}, figures)


def _client(root: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root}/runs/mlflow.db")


def _runs(root: Path) -> list[Any]:
    client = _client(root)
    return list(client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]))
