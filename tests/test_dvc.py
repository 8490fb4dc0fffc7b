"""`dvc repro`: its stages use the project's own verbs, and it never takes damaged data for the truth."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import required
from pipeline.config import load_config, resolve
from tests.test_docs import check

ROOT = Path(__file__).parents[1]
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout: DVC needs one")


def dvc(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run DVC in a clone, with this environment's commands and no way to the network."""
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
        "PIPELINE_DATA_MIRROR": str(cwd / "no-mirror"),
    }
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


def runs() -> dict[str, dict[str, Any]]:
    """Every stage with its templates filled in as DVC fills them: the run EXPERIMENT-SEED behind train@…"""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        return {
            stage.addressing: {
                "cmd": [stage.cmd] if isinstance(stage.cmd, str) else stage.cmd,
                "deps": {str(dep.def_path) for dep in stage.deps},
                "outs": {str(out.def_path) for out in stage.outs},
            }
            for stage in repo.index.stages
            if stage.cmd
        }


STAGES = runs() if (ROOT / ".git").exists() else {}


@needs_git
def test_every_stage_calls_only_the_projects_own_verbs() -> None:
    for command in {command for stage in STAGES.values() for command in stage["cmd"]}:
        assert shlex.split(command)[0] == "pipeline"
    for experiment in ("mnist_cnn", "imdb_lstm_best"):
        check(next(c for stage in STAGES.values() for c in stage["cmd"] if f"experiment={experiment} " in c))
    check(STAGES["evaluate@mnist_cnn-0"]["cmd"][0])
    check(STAGES["plan"]["cmd"][0])


@needs_git
def test_every_experiment_is_trained_and_evaluated_and_follows_its_plan_and_the_models_it_requires() -> None:
    """A new experiment belongs into `experiments` of params.yaml; one that needs others' models, into its own stage."""
    makers = {out: stage for stage in STAGES.values() for out in stage["outs"]}
    for file in sorted((ROOT / "conf/experiment").glob("*.yaml")):
        for seed in (0, 1, 2):
            name = f"{file.stem}-{seed}"
            assert f"models/{name}" in makers, name
            depends = makers[f"models/{name}"]["deps"]
            assert {f"prepared/plan/{file.stem}.json", f"conf/experiment/{file.stem}.yaml"} <= depends
            if seed == 1:  # composing takes a while
                needed = required.names(resolve(load_config(f"experiment={file.stem}", "seed=1")))
                assert {f"models/{other}" for other in needed} <= depends, name
            assert makers[f"metrics/{name}.json"]["cmd"] == [f"pipeline evaluate models/{name} --record"]


@needs_git
def test_a_stage_depends_on_what_exists_or_is_made_and_never_on_the_data_folder_itself() -> None:
    made = {out for stage in STAGES.values() for out in stage["outs"]}
    for path in {dep for stage in STAGES.values() for dep in stage["deps"]}:
        assert path in made or path.startswith("prepared/plan/") or (ROOT / path).exists(), path
        assert path.split("/")[0] != "data"


@needs_git
def test_a_repro_with_damaged_data_refuses_and_leaves_data_dvc_as_it_was(clone: Path) -> None:
    before = (clone / "data.dvc").read_bytes()
    (clone / "data/mnist").mkdir(parents=True)
    (clone / "data/mnist/train-labels-idx1-ubyte").write_text("partial")
    (clone / "dvc.lock").unlink(missing_ok=True)
    done = dvc("repro", cwd=clone)
    assert done.returncode != 0
    assert "can't be had" in done.stdout + done.stderr
    assert (clone / "data.dvc").read_bytes() == before
    assert [path.read_text() for path in (clone / ".cache/set-aside").iterdir()] == ["partial"]
    assert not (clone / "models").exists()
