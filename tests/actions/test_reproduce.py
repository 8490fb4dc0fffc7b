"""Repeating a run as it was, and naming what differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.actions import reproduce
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records
from pipeline.runs.records import RunRecord
from tests.conftest import Quiet

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_a_run_is_repeated_bit_for_bit_and_a_change_of_its_record_is_named(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(clone)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    train = [sys.executable, "-m", "pipeline", "train", "experiment=mlp_xor", "seed=3", "trainer.max_epochs=2"]
    subprocess.run(train, cwd=clone, env=environment, check=True, capture_output=True)
    before = lookup.find("latest", clone)

    comparison = reproduce.reproduce("latest", Quiet(), root=clone)
    assert comparison.identical
    assert not comparison.differs
    assert comparison.metrics
    assert all(then == now for then, now in comparison.metrics.values())
    assert lookup.listing(clone) == [before]  # nothing is left behind
    worktrees = subprocess.run(
        ["git", "worktree", "list"], cwd=clone, check=True, capture_output=True, text=True
    ).stdout
    assert len(worktrees.splitlines()) == 1

    records.update(Path(before["run_dir"]), lock_digest="0" * 64, hardware="an abacus")
    config = Path(before["run_dir"]) / "config.json"
    changed = json.loads(config.read_text())
    changed["resolved"]["seed"] = 4
    config.write_text(json.dumps(changed))
    comparison = reproduce.reproduce("latest", Quiet(), root=clone)
    assert not comparison.identical
    assert set(comparison.differs) == {"configuration", "environment", "hardware"}


def test_the_same_code_of_another_commit_is_not_a_difference_and_other_code_is_named_with_its_commit() -> None:
    def record(commit: str, **code: str) -> RunRecord:
        return {"commit": commit, "fingerprint": {"code": code}} if code else {"commit": commit}

    same = reproduce._code({**record("aaa", fit="1"), "dirty": True}, record("bbb", fit="1"))
    assert same == ["aaa and changes"] * 2
    before, after = reproduce._code(record("aaa", fit="1"), record("bbb", fit="2"))
    assert (before.endswith("(commit aaa)"), after.endswith("(commit bbb)"), before[:12] != after[:12]) == (True,) * 3
    assert reproduce._code(record("aaa"), record("bbb", fit="1")) == [
        "aaa",
        "bbb",
    ]  # records from before there were fingerprints


def test_a_run_that_is_not_finished_or_whose_code_is_unknown_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs/one"
    folder.mkdir(parents=True)
    record = {"name": "one", "experiment": "x", "seed": 0, "data": "gate", "started": 0, "commit": "f" * 40}
    for status, message in (("interrupted", "Only a finished run"), ("finished", "has no commit ffff")):
        (folder / "run.json").write_text(json.dumps({**record, "status": status}))
        with pytest.raises(LaunchError, match=message):
            reproduce.reproduce("one", Quiet(), root=tmp_path)
