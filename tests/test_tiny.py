"""The whole system on 64 images: bytes, training, test, tracking, pictures, and the model in a stranger's hands."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.actions import evaluate
from pipeline.actions.train import train
from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, lookup, records
from tests.conftest import TINY, Quiet


@pytest.fixture
def tracked(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> Path:
    """The tiny project, with a data base whose tables exist: making them takes MLflow seconds."""
    (tiny_mnist / "runs").mkdir()
    (tiny_mnist / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return tiny_mnist


def test_bytes_become_a_tested_tracked_portable_model(tracked: Path) -> None:
    console = Quiet()
    summary = train([*TINY, "trainer.max_epochs=20"], console, root=tracked)
    run_dir = Path(summary["run_dir"])

    assert summary["metrics"]["test/accuracy"] == 1.0
    assert summary["dataset"]["rows"] == {"train": 48, "val": 16, "test": 40}
    assert any("mnist, 48 / 16 / 40" in line for line in console.lines)
    record = lookup.find("latest", tracked)
    assert (record["status"], record["run_id"]) == ("finished", str(summary["run_id"]))
    checkpoints.verify(run_dir / "model")
    for picture in ("learning_curves", "confusion_matrix", "worst_errors"):
        assert (run_dir / f"figures/{picture}.png").read_bytes().startswith(b"\x89PNG")

    assert (run_dir / "model/calibration.json").is_file()
    assert (run_dir / "figures/reliability.png").is_file()
    stored_predictions: dict[str, Any] = {}
    scored = evaluate.evaluate(summary["name"], "test", root=tracked, predictions=stored_predictions)
    assert scored["metrics"]["test/accuracy"] == summary["metrics"]["test/accuracy"]
    assert scored["metrics"]["test/ece"] == summary["metrics"]["test/ece"]
    assert {name: tuple(tensor.shape) for name, tensor in stored_predictions.items()} == {
        "test_score": (40, 10),
        "test_truth": (40,),
        "val_score": (16, 10),
        "val_truth": (16,),
    }
    assert scored["dataset"] == summary["dataset"]

    with sqlite3.connect(tracked / "runs/mlflow.db") as database:
        metrics = dict(database.execute("select key, value from latest_metrics"))
        params = dict(database.execute("select key, value from params"))
        tags = dict(database.execute("select key, value from tags"))
        status = database.execute("select status from runs").fetchall()
        epochs = database.execute("select count(*) from metrics where key = 'val/accuracy'").fetchone()
    database.close()
    assert metrics["test/accuracy"] == 1.0
    assert params["data.mirror"] == "${oc.env:PIPELINE_DATA_MIRROR,null}"
    assert (tags["seed"], tags["data"], tags["data.digest"]) == ("0", "mnist", summary["dataset"]["digest"])
    assert status == [("FINISHED",)]
    assert epochs == (20,)

    _answers_with_plain_mlflow(tracked, str(summary["run_id"]))
    stored = [path for path in (tracked / "runs").rglob("*") if path.is_file() and path.name != checkpoints.STATE]
    assert {"model.onnx", "model.safetensors", "MLmodel"} <= {path.name for path in stored}
    assert [path for path in stored if is_pickle(path)] == []


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle (protocol 2 or later, as libraries write it) or an archive of torch's with one."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    return re.match(rb"\x80[\x02-\x05]", path.read_bytes()[:2]) is not None


def _answers_with_plain_mlflow(root: Path, run_id: str) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{root}/runs/mlflow.db")
    models_found = client.search_logged_models([client.get_run(run_id).info.experiment_id])
    assert [model.source_run_id for model in models_found] == [run_id]
    loaded = mlflow.pyfunc.load_model(models_found[0].artifact_location)
    for batch in (1, 5):
        answer = loaded.predict({"input": np.zeros((batch, 1, 28, 28), np.float32)})
        assert answer["probabilities"].shape == (batch, 10)
    assert not (root / "mlruns").exists()


def test_no_secret_reaches_mlflow_or_the_runs_files(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "http://user:canary-1@127.0.0.1:9")
    monkeypatch.setenv("MY_NOTE", "canary-2")
    monkeypatch.setenv("MY_STORE", "http://user:canary-3@127.0.0.1:9")
    train([*TINY, "data.mirror=${oc.env:MY_NOTE}"], Quiet(), root=tracked)
    train([*TINY, "tracking.uri=${oc.env:MY_STORE}"], Quiet(), root=tracked)
    console = Quiet()
    stores = ["tracking.uri='http://user:canary-6@127.0.0.1:9'", "data.mirror='http://user:canary-7@127.0.0.1:9'"]
    train([*TINY, *stores], console, root=tracked)
    files = [path for path in (tracked / "runs").rglob("*") if path.is_file()]
    assert {"mlflow.db", "events.jsonl", "tracking.json", "log.txt", "model.onnx"} <= {path.name for path in files}
    assert [path for path in files if b"canary" in path.read_bytes()] == []
    assert "canary" not in str(console.lines)
    config = json.loads((Path(lookup.find("latest", tracked)["run_dir"]) / "config.json").read_text())["resolved"]
    assert config["tracking"]["uri"] == "http://***@127.0.0.1:9"


def test_a_run_that_fails_says_so_everywhere_and_can_go_on(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.actions.train import resume

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.fit.store_model", broken)
        with pytest.raises(RuntimeError, match="no disk"):
            train([*TINY, "trainer.checkpoint_every_s=0"], Quiet(), root=tracked)
    failed = lookup.find("latest", tracked)
    assert failed["status"] == "failed"
    with pytest.raises(Exception, match="failed, and has no model yet"):
        evaluate.evaluate(failed["name"], "test", root=tracked)

    summary = resume("latest", Quiet(), root=tracked)
    assert lookup.find("latest", tracked)["status"] == "finished"
    assert summary["name"] == failed["name"]
    assert summary["run_id"] == failed["run_id"]  # one MLflow run through every try
    with pytest.raises(Exception, match="is finished"):
        resume("latest", Quiet(), root=tracked)


def test_without_mnist_the_embedded_sample_is_trained_on_and_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.actions.data import obtain
    from pipeline.config import load_config
    from pipeline.data import store
    from pipeline.errors import DataError

    def unreachable(*args: object, **kwargs: object) -> str:
        raise DataError("mnist: nowhere to be had")

    monkeypatch.setattr(store, "pull", unreachable)
    console = Quiet()
    overrides = ["data=mnist", "trainer.max_epochs=1"]
    _, plain = obtain(load_config(*overrides), overrides, root=project, config_dir=None, console=console)
    assert plain["data"]["name"] == "mnist-5k"
    assert plain["trainer"]["max_epochs"] == 1
    assert "NOT MNIST" in console.lines[0]
    overrides = ["data.allow_sample=false"]
    with pytest.raises(DataError, match="nowhere"):
        obtain(load_config(*overrides), overrides, root=project, config_dir=None, console=console)


@pytest.mark.slow
def test_a_locale_that_can_not_name_the_folder_changes_no_weight(project: Path) -> None:
    words, digests = ["experiment=mlp_xor", "trainer.max_epochs=3"], []
    for name, locale in (("plain", {}), ("größer", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})):
        (project / name).mkdir()
        command = [sys.executable, "-m", "pipeline", "train", *words]
        subprocess.run(command, cwd=project / name, env={**os.environ, **locale}, check=True, capture_output=True)
        run_dir = Path(lookup.find("latest", project / name)["run_dir"])
        assert (run_dir / "model.onnx").is_file()
        digests.append(checkpoints.weights_digest(checkpoints.verify(run_dir / "model")))
    assert digests[0] == digests[1]


def test_evaluation_refuses_other_data_than_the_model_saw(tracked: Path) -> None:
    summary = train(TINY, Quiet(), root=tracked)
    manifest = Path(summary["run_dir"]) / "model/manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"data_digest": "0" * 64}))
    with pytest.raises(Exception, match="the model was trained on data 000000000000"):
        evaluate.evaluate("latest", "test", root=tracked)


def test_a_run_that_is_no_longer_what_it_was_goes_on_only_if_that_is_allowed(
    tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.actions.train import resume

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.fit.store_model", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(TINY, Quiet(), root=tracked)
    record = lookup.find("latest", tracked)
    run_dir = Path(record["run_dir"])
    code = {**record["fingerprint"]["code"], "pipeline.training.fit": "0" * 64}
    records.update(
        run_dir, fingerprint={**record["fingerprint"], "code": code}, dataset={**record["dataset"], "digest": "1" * 64}
    )
    configs = json.loads((run_dir / "config.json").read_text())
    configs["resolved"]["seed"] = 7
    (run_dir / "config.json").write_text(json.dumps(configs))
    with pytest.raises(LaunchError, match="--allow-drift") as refused:
        resume("latest", Quiet(), root=tracked)
    for what in (
        "code: pipeline.training.fit;",
        "configuration: ",
        "data: 111111111111 then",
    ):
        assert what in str(refused.value)
    assert lookup.find("latest", tracked)["status"] == "failed"  # nothing was touched
    configs["resolved"]["seed"] = 0
    (run_dir / "config.json").write_text(json.dumps(configs))
    console = Quiet()
    resume("latest", console, root=tracked, allow_drift=True)
    assert any("WARNING" in line and "code: " in line and "configuration" not in line for line in console.lines)
