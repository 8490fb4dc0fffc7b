"""Runs are found by all that names one, and a name of several is refused."""

from pathlib import Path

import pytest

from pipeline.config import load_config, resolve
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records

FACTS: records.RunRecord = {"commit": None, "dirty": None, "lock_digest": None, "command": "pipeline train"}


def make(root: Path, experiment: str = "mnist_cnn") -> Path:
    return records.create(root, resolve(load_config(f"experiment={experiment}")), FACTS)


def test_a_run_is_found_by_name_start_id_folder_and_as_the_latest(tmp_path: Path) -> None:
    first = make(tmp_path)
    second = make(tmp_path)
    records.update(first, run_id="abc123")
    assert lookup.find("latest", tmp_path)["name"] == second.name
    assert lookup.find(first.name, tmp_path)["name"] == first.name
    assert lookup.find("abc123", tmp_path)["name"] == first.name
    assert lookup.find(str(second), tmp_path)["name"] == second.name
    with pytest.raises(LaunchError) as ambiguous:
        lookup.find("mnist_cnn", tmp_path)
    assert str(ambiguous.value) == (
        f"Ambiguous run name 'mnist_cnn': 2 runs match ({second.name}, {first.name}). "
        "Type more of it, or mnist_cnn@latest for the newest of that experiment."
    )
    with pytest.raises(LaunchError, match=r"no such run .* The newest is"):
        lookup.find("other", tmp_path)


def test_the_latest_of_an_experiment_is_its_newest_run_and_no_other_experiments(tmp_path: Path) -> None:
    make(tmp_path)
    second, other = make(tmp_path), make(tmp_path, "mnist_cnn_best")
    assert lookup.find("mnist_cnn@latest", tmp_path)["name"] == second.name
    assert lookup.find("mnist_cnn_best@latest", tmp_path)["name"] == other.name
    assert lookup.find("@latest", tmp_path)["name"] == other.name
    with pytest.raises(LaunchError, match=r"^mnist@latest: no such run"):
        lookup.find("mnist@latest", tmp_path)


def test_the_latest_model_is_that_of_the_newest_run_that_has_one(tmp_path: Path) -> None:
    trained, failed = make(tmp_path), make(tmp_path)
    (trained / "model").mkdir()
    records.update(failed, status="failed")
    for run in ("latest", "mnist_cnn@latest", trained.name):
        assert lookup.model_dir(run, tmp_path) == trained / "model"
    with pytest.raises(LaunchError, match=rf"^{failed.name}: failed, and has no model yet\. .*resume {failed.name}"):
        lookup.model_dir(failed.name, tmp_path)


def test_where_no_run_has_a_model_the_latest_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path)
    with pytest.raises(LaunchError, match=rf"^{folder.name}: created, and has no model yet"):
        lookup.model_dir("latest", tmp_path)
    with pytest.raises(LaunchError, match="is not in a project"):
        lookup.model_dir("latest", tmp_path / "empty")


def test_a_torn_record_hides_its_own_run_and_no_other(tmp_path: Path) -> None:
    whole, torn = make(tmp_path), make(tmp_path)
    for content in ("{", "[]", "{}", '{"status": 3'):
        (torn / records.RECORD).write_text(content)
        assert [record["name"] for record in lookup.listing(tmp_path)] == [whole.name]
