"""Exports: where files go by default, and which targets are refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.actions import export
from pipeline.errors import ConfigError, DataError
from pipeline.files import sha256
from pipeline.inference.export import ExportableModel
from pipeline.runs import lookup


@pytest.fixture
def linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored model `net-3`, in the place of every run."""
    model = ExportableModel(nn.Linear(3, 2), {"input": torch.rand(68, 3)}, "logits")
    config = {"name": "net", "seed": 3, "data": {"name": "random"}}
    predictor: Any = SimpleNamespace(config=config, input_type=None, exportable=lambda data, count: model)
    monkeypatch.setattr(lookup, "model_dir", lambda run, root: root)
    monkeypatch.setattr(export, "load", lambda folder: predictor)
    monkeypatch.setattr(export, "build_data", lambda config, folder: None)
    monkeypatch.setattr(export, "model_card", lambda folder, root: "# Model Card\n")


@pytest.mark.usefixtures("linear")
def test_a_model_is_exported_to_the_projects_exports_which_git_ignores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = Path(export.export("latest", "safetensors", None, root=tmp_path)["path"])
    assert path == tmp_path / "exports/net-3.safetensors"
    assert (tmp_path / "exports/net-3.safetensors.sha256").read_text() == f"{sha256(path)}  net-3.safetensors\n"
    assert (tmp_path / "exports/net-3.safetensors.card.md").read_text() == "# Model Card\n"
    assert not list((tmp_path / "elsewhere").iterdir())
    assert "/exports" in (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()


@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("target", ["/dev/null", "/dev/full", "/proc/x/a", "folder"])
def test_a_model_is_exported_to_regular_files_only(target: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=rf"--out .*{target}: .* Choose another file\."):
        export.export("latest", "safetensors", tmp_path / target, root=tmp_path)
    assert (tmp_path / "folder").is_dir()


def test_an_unknown_format_is_an_error_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--format tflite: unknown format\. Choose one of onnx, pt2, safetensors"):
        export.export("latest", "tflite", None, root=tmp_path)
