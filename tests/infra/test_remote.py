"""Data and models travel through an S3 store to a second clone; a new version of the data makes its readers stale."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.data import store
from tests.conftest import write_imdb, write_mnist
from tests.infra.conftest import bucket

ROOT = Path(__file__).parents[2]
NEEDED = ("boto3", "dvc_s3", "moto")
pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED) or not (ROOT / ".git").exists(),
    reason="needs the packages of infra/requirements.lock and a git checkout",
)
GIT = {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
RUNS = ("perceptron_mnist-0", "imdb_tfidf-0")
OVERRIDES = "data.val_size=16 data.batch_size=8"


def run(*words: str, at: Path) -> str:
    """Run a command with the package of a clone. Returns: what it prints."""
    env = {**os.environ, **GIT, "PYTHONPATH": str(at)}
    done = subprocess.run(words, cwd=at, env=env, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def dvc(*words: str, at: Path) -> str:
    return run(sys.executable, "-m", "dvc", *words, at=at)


def repro(*words: str, at: Path) -> dict[str, Any]:
    """Reproduce stages. Returns: what is printed of each."""
    printed = run(sys.executable, "-m", "pipeline", "repro", "--jobs", "1", *words, "--json", at=at)
    stages: dict[str, Any] = json.loads(printed.splitlines()[-1])["stages"]
    return stages


def commit(at: Path) -> None:
    run("git", "add", "--all", at=at)
    run("git", "commit", "-qm", "recorded", at=at)


def declare(at: Path, known: dict[str, tuple[store.DataFile, ...]]) -> None:
    """Write the sizes and digests of this process's data sets into a clone's registry, which has those `known`."""
    registry = at / "pipeline/data/store.py"
    text = registry.read_text()
    for name in ("mnist", "imdb"):
        for old, new in zip(known[name], store.FILES[name], strict=True):
            assert old.path == new.path
            assert old.sha256 in text
            text = text.replace(f"{old.bytes:_}", f"{new.bytes:_}").replace(old.sha256, new.sha256)
    registry.write_text(text)


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with two experiments on tiny MNIST and IMDB, each with one recorded seed."""
    folder = tmp_path / "first"
    run("git", "clone", "-q", "--local", str(ROOT), str(folder), at=tmp_path)
    known = dict(store.FILES)
    write_mnist(folder, monkeypatch)
    write_imdb(folder, monkeypatch)
    declare(folder, known)
    kept = {name.rpartition("-")[0] for name in (*RUNS, "mnist_cnn-0")}  # the default experiment among them
    for file in (*(folder / "conf/experiment").iterdir(), *(folder / "results").iterdir()):
        if file.stem not in kept or file.suffix == ".json":
            file.unlink()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    seeds = {name.rpartition("-")[0]: 1 for name in RUNS}
    (folder / "params.yaml").write_text(yaml.safe_dump({**params, "seeds": seeds, "overrides": OVERRIDES}))
    graph = yaml.safe_load((folder / "dvc.yaml").read_text())
    for name in ("report", "try"):
        del graph["stages"][name]
    del graph["plots"]
    quick = graph["stages"]["quick"]
    quick["cmd"] = f"pipeline compare {' '.join(RUNS)} --out reports/quick.json"
    quick["deps"] = [f"evaluations/{name.replace('-', '/')}" for name in RUNS]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False, width=10**6))
    (folder / "dvc.lock").unlink()
    run(sys.executable, "-m", "pipeline", "stages", at=folder)
    dvc("add", "-q", "data", at=folder)
    commit(folder)
    repro("collect", at=folder)
    commit(folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_second_clone_reproduces_from_s3_without_training_and_new_labels_make_stale_what_reads_them(
    first: Path, s3: str
) -> None:
    for name in RUNS:  # a run names the version of the data that it saw
        (row,) = json.loads((first / f"results/{name.rpartition('-')[0]}.json").read_text())["runs"]
        manifest = json.loads((first / f"models/{name}/manifest.json").read_text())
        prepared = json.loads((first / f"prepared/{row['dataset']['name']}.json").read_text())
        assert prepared == {row["dataset"]["name"]: manifest["data_digest"]}
        assert row["dataset"]["digest"] == manifest["data_digest"]
    bucket(s3, "store")
    dvc("remote", "add", "-q", "-d", "store", "s3://store/cache", at=first)
    dvc("remote", "modify", "store", "endpointurl", s3, at=first)
    commit(first)
    dvc("push", "-q", at=first)

    second = first.parent / "second"
    run("git", "clone", "-q", str(first), str(second), at=first.parent)
    dvc("pull", "-q", "--allow-missing", at=second)  # of stages that have not run
    for folder in ("data", "models"):
        assert content(second / folder) == content(first / folder)
    states = {name: stage["state"] for name, stage in repro("quick", at=second).items()}
    assert states == {"quick": "done"}  # all others are unchanged
    compared = json.loads((second / "reports/quick.json").read_text())
    assert compared["verdict"] == "identical"
    assert {row["run"] for row in compared["comparison"]} == {*RUNS}
    assert not (second / "runs").exists()

    labels = second / "data/mnist/train-labels-idx1-ubyte"
    before = labels.read_bytes()
    labels.write_bytes(before[:8] + bytes([(before[8] + 1) % 10]) + before[9:])
    digest = run("sha256sum", str(labels), at=second).split()[0]
    registry = second / "pipeline/data/store.py"
    (known,) = [file.sha256 for file in store.FILES["mnist"] if "train-labels" in file.path]
    registry.write_text(registry.read_text().replace(known, digest))
    dvc("add", "-q", "data", at=second)
    repro("prepare@mnist", "prepare@imdb", "fingerprint", at=second)
    stale = repro("collect", "quick", "--dry-run", at=second)
    mnist = "perceptron_mnist"
    assert {*stale} == {f"train@{mnist}-0", f"evaluate@{mnist}-0", f"collect@{mnist}", "quick"}
