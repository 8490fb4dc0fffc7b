"""`dvc repro`: its stages use the project's own verbs, and it never takes damaged data for the truth."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import requires
from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import DataError
from tests.conftest import mount
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


def kill_once(seen: Callable[[], object], *words: str, cwd: Path) -> int:
    """Start DVC and kill it, and what it started, once something is seen; its process id."""
    process = start(*words, cwd=cwd)
    while not seen():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return process.pid


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
        for seed in (0,) if file.stem in ("imdb_lm", "imdb_lm_small") else (0, 1, 2):  # one for all
            name = f"{file.stem}-{seed}"
            assert f"models/{name}" in makers, name
            depends = makers[f"models/{name}"]["deps"]
            assert {f"prepared/plan/{file.stem}.json", f"conf/experiment/{file.stem}.yaml"} <= depends
            if seed == 1:  # composing takes a while
                needed = requires.names(resolve(load_config(f"experiment={file.stem}", "seed=1")))
                assert {f"models/{other}" for other in needed} <= depends, name
            assert makers[f"metrics/{name}.json"]["cmd"] == [f"pipeline evaluate models/{name} --record"]


@needs_git
def test_each_seed_of_an_ensemble_depends_on_its_own_members_alone() -> None:
    makers = {out: stage for stage in STAGES.values() for out in stage["outs"]}
    for seed in range(5):
        stage = makers[f"models/mnist_ensemble-{seed}"]
        needed = requires.names(resolve(load_config("experiment=mnist_ensemble", f"seed={seed}")))
        assert {dep for dep in stage["deps"] if dep.startswith("models/")} == {f"models/{name}" for name in needed}
        assert f"experiment=mnist_ensemble seed={seed} " in stage["cmd"][0]


@needs_git
def test_every_committed_result_is_made_by_a_stage_and_dvc_lock_holds_no_stage_that_is_gone() -> None:
    made = {out for stage in STAGES.values() for out in stage["outs"]}
    assert {f"metrics/{path.name}" for path in (ROOT / "metrics").glob("*.json")} <= made
    assert {*re.findall(r"^  (\S+):$", (ROOT / "dvc.lock").read_text(), re.MULTILINE)} <= {*STAGES}


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
    code, said = dvc("repro", cwd=clone)
    assert code != 0
    assert "can't be had" in said
    assert (clone / "data.dvc").read_bytes() == before
    assert [path.read_text() for path in (clone / ".cache/set-aside").iterdir()] == ["partial"]
    assert not (clone / "models").exists()


@pytest.fixture
def pushed(project: Path) -> dict[str, bytes]:
    """Files that stand in a remote of the project and nowhere else."""
    assert dvc("init", "--no-scm", cwd=project)[0] == 0
    assert dvc("remote", "add", "--default", "store", str(project / "remote"), cwd=project)[0] == 0
    files = {f"data/{number}": os.urandom(40_000) for number in range(300)}
    (project / "data").mkdir()
    for name, content in files.items():
        (project / name).write_bytes(content)
    assert dvc("add", "data", cwd=project)[0] == 0
    shutil.move(project / ".dvc/cache", project / "remote")  # as `dvc push` would
    shutil.rmtree(project / "data")
    return files


def test_a_pull_killed_midway_is_finished_by_the_next_one(project: Path, pushed: dict[str, bytes]) -> None:
    kill_once(lambda: sum(1 for _ in project.glob(".dvc/cache/files/md5/*/*")) > 10, "pull", cwd=project)
    assert len(list(project.glob("data/*"))) < len(pushed)
    code, said = dvc("pull", cwd=project)
    assert code == 0, said
    assert {name: (project / name).read_bytes() for name in pushed} == pushed


def test_a_pull_into_a_cache_that_fills_up_is_finished_once_there_is_room(
    project: Path, pushed: dict[str, bytes], disk: Path
) -> None:
    assert dvc("cache", "dir", str(disk), cwd=project)[0] == 0
    code, said = dvc("pull", cwd=project)
    assert code != 0
    assert "No space left on device" in said
    there = {str(path.relative_to(project)): path.read_bytes() for path in project.glob("data/*")}
    assert there.items() <= pushed.items()  # none of them is partial
    assert mount("-o", "remount,size=64m", str(disk)) == 0
    code, said = dvc("pull", cwd=project)
    assert code == 0, said
    assert {name: (project / name).read_bytes() for name in pushed} == pushed


def test_a_repro_killed_midway_is_named_and_done_again_by_the_next_one(project: Path) -> None:
    assert dvc("init", "--no-scm", cwd=project)[0] == 0
    command = f"{sys.executable} stage.py"
    (project / "stage.py").write_text(
        "import pathlib, time\n"
        "pathlib.Path('out').write_text('half')\n"
        "while not pathlib.Path('go').exists(): time.sleep(.1)\n"
        "pathlib.Path('out').write_text('whole')\n"
    )
    (project / "dvc.yaml").write_text(f"stages: {{one: {{cmd: {command}, deps: [stage.py], outs: [out]}}}}")
    killed = kill_once((project / "out").exists, "repro", cwd=project)
    assert not (project / "dvc.lock").exists()
    (project / "go").touch()
    code, said = dvc("repro", cwd=project)
    assert code == 0, said
    assert f"(Pid {killed})" in said
    assert "had been killed" in said
    assert (project / "out").read_text() == "whole"
    assert "up to date" in dvc("repro", cwd=project)[1]


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
