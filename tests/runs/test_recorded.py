"""Records of trainings whose stored model is damaged."""

import json
from pathlib import Path

import pytest

from pipeline.errors import CheckpointError
from pipeline.runs import checkpoints, recorded, trail


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The model of a finished run `one`."""
    folder = tmp_path / "runs/one"

    def write(aside: Path) -> None:
        (aside / checkpoints.MODEL).write_bytes(b"weights")
        trail.write(aside, step=30, epoch=2)

    checkpoints.publish(folder / "model", write, data_digest="d", config_digest="o")
    known = {"name": "one", "experiment": "net", "model": "m", "seed": 0, "status": "finished", "steps": 30}
    (folder / "run.json").write_text(json.dumps({**known, "metrics": {}}))
    (folder / "config.json").write_text(json.dumps({"resolved": {"name": "net"}}))
    return folder / "model"


@pytest.mark.parametrize(
    ("name", "content"),
    [(checkpoints.MANIFEST, '{"files": {'), (checkpoints.MANIFEST, "{}"), (trail.FILE, '{"step": [')],
)
def test_a_torn_file_that_the_comparison_needs_is_named(name: str, content: str, model: Path, tmp_path: Path) -> None:
    (model / name).write_text(content)
    with pytest.raises(CheckpointError, match=rf"model/{name}: .*torn"):
        recorded.find("one", tmp_path)


def test_a_missing_manifest_is_named(model: Path, tmp_path: Path) -> None:
    (model / checkpoints.MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"manifest\.json: missing or torn"):
        recorded.find("one", tmp_path)


def test_of_a_model_without_its_weights_the_record_is_read_with_its_problem(model: Path, tmp_path: Path) -> None:
    (model / checkpoints.MODEL).unlink()
    assert "got no file" in recorded.find("one", tmp_path).problem
