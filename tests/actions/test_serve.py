"""A server's first lines hold a command that sends it an input."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.runs import lookup


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("images", "curl -F file=@x.png http://127.0.0.1:8123/predict"),
        ("texts", "curl -d 'some words' http://127.0.0.1:8123/predict"),
    ],
)
def test_a_server_prints_a_command_for_its_kind_of_input_and_its_pages(
    kind: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    action: Any = importlib.import_module("pipeline.actions.serve")
    server: Any = importlib.import_module("pipeline.launch.serve")
    monkeypatch.setattr(action, "port_owner", lambda port: None)
    monkeypatch.setattr(lookup, "model_dir", lambda run, root: root)
    monkeypatch.setattr(action, "load", lambda folder: SimpleNamespace(input_type=kind))
    monkeypatch.setattr(action, "model_name", lambda predictor: "mine-0:0123")
    monkeypatch.setattr(server, "run", lambda folder, started, **_: started())
    lines: list[str] = []
    action.serve("latest", root=tmp_path, port=8123, replicas=1, print_line=lines.append)
    assert command in [line.strip() for line in lines]
    assert any(line.endswith("http://127.0.0.1:8123/docs") for line in lines)
