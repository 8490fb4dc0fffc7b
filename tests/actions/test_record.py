"""What `--record` keeps of a run."""

import json
from pathlib import Path

import pytest

from pipeline import checkpoint
from pipeline.actions import record, runs
from pipeline.config import load_config, resolve, stored
from pipeline.errors import CheckpointError


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(root: Path, state: str) -> Path:
    """A run's folder with a model of one file."""
    config = load_config()
    run_dir = runs.create(root, resolve(config), {})
    (run_dir / runs.CONFIG).write_text(json.dumps(stored(config)))

    def write(aside: Path) -> None:
        (aside / "state").write_text(state)

    checkpoint.publish(run_dir / "model", write, step=1)
    return run_dir


def test_the_recorded_model_has_the_bytes_of_the_runs_and_replaces_an_older_one(tmp_path: Path) -> None:
    for state in ("old", "new"):
        run_dir = trained(tmp_path, state)
        manifest = run_dir / "model" / checkpoint.MANIFEST
        manifest.write_text(json.dumps(json.loads(manifest.read_text())))  # as another version may have laid it out
        record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
        assert content(tmp_path / "models/mnist_cnn-0") == content(run_dir / "model")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mnist_cnn-0"]


def test_a_damaged_model_is_not_recorded_and_the_older_one_stays(tmp_path: Path) -> None:
    run_dir = trained(tmp_path, "old")
    record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
    before = content(tmp_path / "models/mnist_cnn-0")
    run_dir = trained(tmp_path, "new")
    (run_dir / "model/state").write_text("torn")
    with pytest.raises(CheckpointError, match=r"model/state: expected SHA-256"):
        record.model({"run_dir": str(run_dir), "metrics": {}}, tmp_path)
    assert content(tmp_path / "models/mnist_cnn-0") == before
