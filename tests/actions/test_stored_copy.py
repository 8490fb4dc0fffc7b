"""Runs that are not on this machine: brought from their storage by name."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.actions import stored_copy
from pipeline.config import load_config, resolve, stored
from pipeline.errors import ConfigError, LaunchError
from pipeline.runs import records, storage
from pipeline.tracking.upload_queue import STATE
from tests.conftest import Quiet


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "there").mkdir()
    return f"file://{tmp_path}/there"


def lost(root: Path, uri: str, tracking: str) -> str:
    """The name of a run that only its storage has."""
    config = load_config("experiment=mlp_xor", f"tracking.uri={tracking}", root=root)
    run_dir = records.create(root, resolve(config), {"started": 1.0})
    (run_dir / records.CONFIG).write_text(json.dumps(stored(config)))
    (run_dir / STATE).write_text(json.dumps({"sent": 7, "run_id": "abc"}))
    with storage.copied(run_dir, uri, print):
        pass
    shutil.rmtree(run_dir)
    return run_dir.name


@pytest.mark.parametrize(("tracking", "known"), [("sqlite:///runs/mlflow.db", False), ("http://mlflow:5000", True)])
def test_a_lost_run_keeps_its_place_in_mlflow_unless_mlflows_data_base_was_lost_with_it(
    tracking: str, known: bool, project: Path, uri: str
) -> None:
    name = lost(project, uri, tracking)
    console = Quiet()
    stored_copy.provide(name, uri, console, root=project)
    assert (project / "runs" / name / STATE).is_file() == known
    assert records.read(project / "runs" / name)["name"] == name
    shutil.rmtree(Path(uri.removeprefix("file://")))  # it is here now
    stored_copy.provide(name[:-1], uri, console, root=project)
    assert stored_copy.fetch(name, uri, console, root=project)


def test_an_unknown_name_is_answered_with_those_that_the_storage_has(project: Path, uri: str) -> None:
    with pytest.raises(LaunchError, match=r"xor-s0-1: no such run in .* Nor does file://.* hold this run. It is empty"):
        stored_copy.provide("xor-s0-1", uri, Quiet(), root=project)
    name = lost(project, uri, "sqlite:///runs/mlflow.db")
    with pytest.raises(LaunchError, match=rf"It holds {name}: type a whole name"):
        stored_copy.provide(name[:-1], uri, Quiet(), root=project)


def test_a_name_is_not_a_way_out_of_the_folder_of_runs(project: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match=r"run: .*got '\.\./there'"):
        stored_copy.provide("../there", uri, Quiet(), root=project)
