"""Proving that a change of the code changes no result, or finding that it does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import prove
from pipeline.errors import LaunchError
from tests.conftest import Quiet

ROOT = Path(__file__).parents[2]
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The committed project once more."""
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


def run(clone: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit code of `pipeline prove HEAD WORDS`, each experiment's verdict, and what was printed."""
    command = [sys.executable, "-m", "pipeline", "prove", "HEAD", *words, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    proof = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, {name: one["verdict"] for name, one in proof["experiments"].items()}, done.stdout


@pytest.mark.slow
@needs_git
def test_a_comment_leaves_all_identical_and_another_first_weight_is_found(clone: Path) -> None:
    net = clone / "pipeline/models/mlp.py"
    code = net.read_text()
    net.write_text(code + "# A comment.\n")
    verdicts = {"mlp_xor": "identical", "perceptron_gates": "identical"}
    assert run(clone, *verdicts)[:2] == (0, verdicts)

    changed = "        self.layers[-1].bias.data += 1e-7\n\n    def forward"
    net.write_text(code.replace("\n    def forward", changed, 1))
    status, found, printed = run(clone, *verdicts)
    assert (status, found) == (1, {**verdicts, "mlp_xor": "different"})
    assert "DIFFERENT: layers." in printed
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=clone, check=True, capture_output=True, text=True)
    assert len(worktrees.stdout.splitlines()) == 1
    assert len(list((clone / ".cache/proof/sides").glob("tree-*"))) == 1  # what the first tree left is gone


@pytest.mark.slow
@needs_git
def test_cut_runs_parents_and_what_can_not_be_trained_have_their_lines(clone: Path) -> None:
    rate = clone / "conf/experiment/digits_mlp.yaml"
    rate.write_text(rate.read_text().replace("model:\n", "model:\n  optimizer:\n    lr: 0.0123\n"))
    (clone / "conf/experiment/mnist_fast.yaml").rename(clone / "conf/experiment/faster.yaml")
    status, found, _ = run(clone, "digits_mlp", "lecture_gan", "neuron", "faster", "--steps", "3")
    assert status == 1
    expected = ["different", "identical", "identical", "not compared"]
    assert [found[name] for name in ("digits_mlp", "lecture_gan", "neuron", "faster")] == expected
    proof = json.loads(next((clone / ".cache/proof").glob("*.json")).read_text())
    assert proof["experiments"]["lecture_gan"]["steps"] == 3
    assert proof["commit_fingerprints"].keys() == {"digits_mlp", "lecture_gan", "neuron"}
    assert proof["working_tree"]["dirty"]


def test_a_process_that_ends_without_a_result_is_an_error(tmp_path: Path) -> None:
    sides = [prove.Side(label, tmp_path, tmp_path) for label in ("then", "now")]
    (verdict,) = prove.follow([("x", "x")], sides[0], sides[1], steps=1)
    assert verdict.verdict == "error"
    assert "log.txt" in verdict.detail


def test_a_commit_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="has no commit abc"):
        prove.prove("abc", [], Quiet(), root=tmp_path)
