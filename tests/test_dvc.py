"""`dvc repro`: its stages use the project's own verbs, and it never takes damaged data for the truth."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import DataError
from pipeline.graph import stages
from pipeline.runs import requirements, results
from tests.test_docs import check

ROOT = Path(__file__).parents[1]
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout: DVC needs one")


def start(*words: str, cwd: Path) -> "subprocess.Popen[str]":
    """Start DVC in a project, with this environment's commands and no way to the network."""
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
        "PIPELINE_DATA_MIRROR": str(cwd / "no-mirror"),
    }
    command, pipe = [sys.executable, "-m", "dvc", *words], subprocess.PIPE
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def dvc(*words: str, cwd: Path) -> tuple[int, str]:
    """DVC's exit code and all it said."""
    process = start(*words, cwd=cwd)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


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
    for name in ("train@mnist_cnn-0", "evaluate@mnist_cnn-0", "collect@mnist_cnn", "fingerprint", "quick"):
        check(STAGES[name]["cmd"][0])


@needs_git
def test_runs_yaml_is_what_the_seeds_and_the_requirements_of_the_experiments_give() -> None:
    assert (ROOT / stages.FILE).read_text() == stages.content(ROOT), "run `pipeline stages`"


@needs_git
def test_every_experiment_is_trained_evaluated_and_collected_for_each_of_its_seeds() -> None:
    seeds = yaml.safe_load((ROOT / "params.yaml").read_text())["seeds"]
    assert set(seeds) == {file.stem for file in (ROOT / "conf/experiment").glob("*.yaml")}
    for experiment, count in seeds.items():
        for seed in range(count):
            train, name = STAGES[f"train@{experiment}-{seed}"], f"{experiment}-{seed}"
            assert train["outs"] == {f"models/{name}"}
            assert f"prepared/fingerprint/{experiment}.json" in train["deps"]
            assert STAGES[f"evaluate@{name}"]["outs"] == {f"evaluations/{experiment}/{seed}"}
        assert STAGES[f"collect@{experiment}"]["deps"] == {f"evaluations/{experiment}"}


@needs_git
@pytest.mark.parametrize("name", ["mnist_gan-1", "mnist_ensemble-2", "imdb_distilled-1", "mnist_cnn-0"])
def test_training_and_evaluation_depend_on_the_models_a_run_requires_and_on_no_others(name: str) -> None:
    experiment, _, seed = name.rpartition("-")
    needed = requirements.names(resolve(load_config(f"experiment={experiment}", f"seed={seed}")))
    for stage, own in ((f"train@{name}", set()), (f"evaluate@{name}", {f"models/{name}"})):
        depends = {dep for dep in STAGES[stage]["deps"] if dep.startswith("models/")}
        assert depends == {f"models/{other}" for other in needed} | own


# Experiments that read no file of MNIST, whatever their data is called.
OTHER_DATA = (
    *("digits_mlp", "lecture_gan", "lecture_gru", "lecture_gru_notebook"),
    *("mlp_xor", "neuron", "perceptron_gates", "piglatin_seq2seq"),
)


@needs_git
def test_a_new_version_of_mnist_makes_exactly_the_stages_stale_that_read_it() -> None:
    """Along the graph as DVC reads it; that a fingerprint knows its own data alone is tested with fingerprints."""
    reached, paths = set[str](), {"prepared/mnist.json"}
    while found := {name for name, stage in STAGES.items() if stage["deps"] & paths} - reached:
        reached |= found
        paths = {out for name in found for out in STAGES[name]["outs"]}
        paths |= {str(Path(path).parent) for path in paths if path.startswith("evaluations/")}
    trained = {name.partition("@")[2].rpartition("-")[0] for name in reached if name.startswith("train@")}
    names = {file.stem for file in (ROOT / "conf/experiment").glob("*.yaml")}
    assert trained == {name for name in names - {*OTHER_DATA} if not name.startswith(("imdb_", "dogcat_"))}
    assert {name.partition("@")[2] for name in reached if name.startswith("collect@")} == trained


@needs_git
def test_every_committed_result_is_made_by_a_stage_and_dvc_lock_holds_no_stage_that_is_gone() -> None:
    recorded = {f"train@{run['experiment']}-{run['seed']}" for run in results.committed(ROOT)}
    assert recorded <= {*STAGES}
    assert {*re.findall(r"^  (\S+):$", (ROOT / "dvc.lock").read_text(), re.MULTILINE)} <= {*STAGES}


@needs_git
def test_a_stage_depends_on_what_exists_or_is_made_and_never_on_the_data_folder_itself() -> None:
    made = {out for stage in STAGES.values() for out in stage["outs"]}
    for path in {dep for stage in STAGES.values() for dep in stage["deps"]}:
        folders = {"prepared/fingerprint/", "evaluations/"}
        assert path in made or any(path.startswith(folder) for folder in folders) or (ROOT / path).exists(), path
        assert path.split("/")[0] != "data"


@needs_git
def test_a_reader_understands_dvc_yaml_in_a_minute() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 120


@needs_git
def test_a_repro_with_damaged_data_refuses_and_leaves_data_dvc_as_it_was(clone: Path) -> None:
    before = (clone / "data.dvc").read_bytes()
    (clone / "data/mnist").mkdir(parents=True)
    (clone / "data/mnist/train-labels-idx1-ubyte").write_text("partial")
    (clone / "dvc.lock").unlink(missing_ok=True)
    code, said = dvc("repro", cwd=clone)
    assert code != 0
    assert "could not be fetched" in said
    assert (clone / "data.dvc").read_bytes() == before
    assert [path.read_text() for path in (clone / ".cache/set-aside").iterdir()] == ["partial"]
    assert not (clone / "models").exists()


def test_bit_rot_in_dvcs_cache_is_found_by_our_digest_and_mended_from_the_mirror(tiny_mnist: Path) -> None:
    assert dvc("init", "--no-scm", cwd=tiny_mnist)[0] == 0
    assert dvc("add", "data", cwd=tiny_mnist)[0] == 0
    file, whole = store.FILES["mnist"][0], (tiny_mnist / "data" / store.FILES["mnist"][0].path).read_bytes()
    shutil.rmtree(tiny_mnist / "data")
    [kept] = [path for path in tiny_mnist.glob(".dvc/cache/**/*") if path.is_file() and path.read_bytes() == whole]
    rotten = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    kept.chmod(0o644)
    kept.write_bytes(rotten)
    kept.chmod(0o444)  # DVC does not hash again what is read-only
    assert dvc("checkout", cwd=tiny_mnist)[0] == 0
    assert (tiny_mnist / "data" / file.path).read_bytes() == rotten
    with pytest.raises(DataError, match=rf"(?s)1 of 4 files.*{file.path}.*{file.sha256[:12]}"):
        store.verify("mnist", tiny_mnist / "data")
    cache, mirror = tiny_mnist / ".cache", str(tiny_mnist / "mirror")
    store.pull("mnist", tiny_mnist / "data", cache_dir=cache, mirror=mirror, progress=lambda *_: None)
    assert (tiny_mnist / "data" / file.path).read_bytes() == whole
    assert rotten in [path.read_bytes() for path in (cache / "set-aside").iterdir()]
