"""`pipeline data check` as users and programs call it: its JSON, its exit codes, its command."""

import json
import shlex
from pathlib import Path

import pytest

from pipeline.config import load_config, resolve
from tests.cli.test_command import called
from tests.data.test_own_inputs import pictures, saved, sentences, table, written


def test_the_last_line_is_json_and_data_that_can_be_trained_on_ends_with_0(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(project / "my letters.csv", table([*sentences(), ("", "a")], delimiter=";"))
    done = called(capsys, "data", "check", "my letters.csv", "--json")
    found = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, done.stderr) == (0, "")
    assert {"format", "splits", "classes", "set_aside", "remarks", "command"} <= found.keys()
    assert found["splits"] == {"train": 28, "val": 4, "test": 8}
    assert found["classes"] == {"a": 20, "b": 20}
    assert found["set_aside"] == {"my letters.csv:42": "is empty"}
    assert found["command"] in done.stdout.splitlines()[-2]
    words = shlex.split(found["command"])
    assert words[:2] == ["pipeline", "train"]
    assert resolve(load_config(*words[2:], root=project))["data"]["classes"] == 2


def test_data_that_can_not_be_trained_on_ends_with_2_and_the_reason(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(project / "pets", pictures("cat"))
    done = called(capsys, "data", "check", "pets", "--json")
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 2
    assert found["command"] is None
    assert done.stderr.startswith("error: pets: expected a folder")
    assert found["remarks"] == [found["error"]]
