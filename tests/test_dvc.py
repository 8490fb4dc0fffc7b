"""`dvc repro`: its stages use the project's own verbs, and it never takes damaged data for the truth."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_docs import check

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
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


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_calls_only_the_projects_own_verbs(stage: str) -> None:
    command = STAGES[stage]["cmd"].replace("${item.experiment}", "mnist_cnn").replace("${item.seed}", "0")
    assert shlex.split(command)[0] == "pipeline"
    check(command)


def test_every_experiment_has_a_stage_that_follows_its_own_files() -> None:
    for file in sorted((ROOT / "conf/experiment").glob("*.yaml")):
        stage = STAGES[file.stem]
        assert any(file.stem in STAGES[name]["matrix"]["experiment"] for name in ("evaluate", "evaluate_folds"))
        followed = {next(iter(entry)) for entry in stage["params"]}
        chosen = {f"conf/{group}/{name}.yaml" for group, name in choices(file.stem).items() if name != "null"}
        assert chosen - {"conf/tracking/local.yaml"} <= followed, file.stem


def choices(experiment: str) -> dict[str, str]:
    """Which file of each group an experiment is made of."""
    text = (ROOT / f"conf/experiment/{experiment}.yaml").read_text()
    overridden = dict(re.findall(r"- override /(\w+): (\w+)", text))
    defaults = yaml.safe_load((ROOT / "conf/config.yaml").read_text())["defaults"]
    chosen = {group: name for entry in defaults if isinstance(entry, dict) for group, name in entry.items()}
    return chosen | overridden | {"experiment": experiment}


def test_no_stage_depends_on_the_data_folder_itself() -> None:
    depends = [str(path) for stage in STAGES.values() for path in stage.get("deps", [])]
    assert not [path for path in depends if path.split("/")[0] == "data"]


def test_a_stage_depends_on_files_that_exist() -> None:
    made = {
        "prepared/data.json",
        "prepared/dogs-vs-cats.json",
        "models/${item.experiment}-${item.seed}",
    }  # by other stages
    made |= {f"models/{stage}-{seed}" for stage in STAGES for seed in (*range(6), "${item.seed}")}
    for stage in STAGES.values():
        for path in stage.get("deps", []):
            assert path in made or (ROOT / path).is_file(), path


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
