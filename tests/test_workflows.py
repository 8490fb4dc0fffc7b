"""The workflows run every test: the fast ones on each push, the slow ones every night and before a release."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/slow.yml").read_text())
SHARDS = {shard["shard"]: shard["tests"].split() for shard in SLOW["jobs"]["slow"]["strategy"]["matrix"]["include"]}
SLOW_FILES = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.slow" in file.read_text()]


@pytest.mark.parametrize("file", [file.relative_to(ROOT) for file in SLOW_FILES if file != Path(__file__)], ids=str)
def test_a_file_with_slow_tests_is_in_exactly_one_shard(file: Path) -> None:
    assert len([name for name, paths in SHARDS.items() if any(file.is_relative_to(path) for path in paths)]) == 1


def test_every_shard_has_slow_tests_and_an_hour() -> None:
    assert SLOW["jobs"]["slow"]["timeout-minutes"] <= 60
    for paths in SHARDS.values():
        assert all(any(file.is_relative_to(ROOT / path) for file in SLOW_FILES) for path in paths)


def test_slow_tests_run_nightly_and_for_a_release_tag() -> None:
    on = SLOW[True]  # YAML 1.1 reads the key `on` as a boolean
    assert on["push"]["tags"] == ["v*"]
    [schedule] = on["schedule"]
    assert schedule["cron"].split()[2:] == ["*", "*", "*"]
