"""The command as users type it: what it prints, how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.cli.command import _run
from pipeline.report import gradient_check
from tests.conftest import TINY

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """The exit code and the output of a verb that ran in this process."""

    returncode: int
    stdout: str
    stderr: str


def called(capsys: pytest.CaptureFixture[str], *words: str, debug: bool = False) -> Ended:
    return Ended(_run(list(words), debug), *capsys.readouterr())


def pipeline(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *words]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


MISTAKES = [
    (["train", "seed=x"], "seed: expected a whole number, got 'x'"),
    (["train", "trainer.max_epoch=1"], "Did you mean trainer.max_epochs?"),
    (["train", "experiment=nothing"], "no such experiment"),
    (["train", "data=nothing"], "no such data"),
    (["train", "model.net._target_=os.system"], "may not be called"),
    (["train", "--config-dir", "nowhere"], "--config-dir nowhere: no such folder"),
    (["evaluate", "nothing"], "nothing: no such run"),
    (["predict", "nothing", "x.png"], "nothing: no such run"),
    (["evaluate", "latest", "--record", "--split", "val"], "recorded results are of test"),
    (["evaluate", "latest", "--record-as", "../x"], "--record-as"),
    (["train", "--record-as", "../x"], "--record-as"),
    (["resume", "latest"], "latest: no such run"),
    (["ui"], "no runs are tracked yet"),
    (["data", "verify", "nothing"], "nothing"),
]


@pytest.mark.parametrize(("words", "expected"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], expected: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = called(capsys, *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "runs").exists()


QUICK = [["config"], ["runs"], ["doctor"], ["claims"]]
IMPORTED_BY = """
import contextlib, io, json, sys
from pipeline.cli.command import _run
from pipeline.report import gradient_check

for words, expected in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = _run(words, False)
    assert code == expected, (words, code)
    slow = sorted({"lightning", "mlflow", "ray", "torch"} & sys.modules.keys())
    assert not slow, (words, slow)
"""


def test_mistakes_and_listings_wait_for_no_heavy_library(project: Path) -> None:
    for name in ("conf", "data.dvc", "results"):
        (project / name).symlink_to(ROOT / name)
    gradient_check.cached(project / ".cache")  # which the first `pipeline claims` computes, with torch
    verbs = [*((words, 0) for words in QUICK), *((words, 2) for words, _ in MISTAKES)]
    command = [sys.executable, "-c", IMPORTED_BY, json.dumps(verbs)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def named_run(project: Path, name: str) -> None:
    folder = project / "runs/one"
    folder.mkdir(parents=True)
    record = {"name": name, "experiment": "x", "seed": 0, "data": "gate", "status": "finished", "started": 0}
    (folder / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize("name", ["für-s0", "\udcff-s0"], ids=["not ASCII", "not UTF-8"])
def test_a_terminal_of_a_narrow_encoding_lists_any_name(name: str, project: Path) -> None:
    named_run(project, name)
    for encoding in ("ascii", "utf-8"):
        done = pipeline("runs", cwd=project, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, "")
        assert "-s0  finished  gate" in done.stdout


def test_a_reader_that_leaves_ends_a_listing_without_a_word(project: Path) -> None:
    named_run(project, "x-s0")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pipeline", "runs"]
    done = subprocess.run(command, cwd=project, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_runs_has_a_column_for_the_model(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named_run(project, "x-s0")
    record = json.loads((project / "runs/one/run.json").read_text())
    (project / "runs/two").mkdir()
    (project / "runs/two/run.json").write_text(json.dumps({**record, "name": "longer-s1", "model": "cnn"}))
    lines = called(capsys, "runs").stdout.splitlines()
    assert sorted(line.split() for line in lines) == [
        ["longer-s1", "finished", "gate", "cnn"],
        ["x-s0", "finished", "gate", "-"],
    ]


def test_debug_shows_the_traceback(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = called(capsys, "train", "seed=x", debug=True)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


COMMAND = """
import atexit, pathlib, sys
from pipeline.cli.command import main

atexit.register(lambda: pathlib.Path("imported.txt").write_text(str(sys.modules.keys() & {"torch", "mlflow"})))
main()
"""


def test_train_prints_few_lines_and_ends_with_json_and_another_process_imports_mlflow(
    tiny_project_for_commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    root = tiny_project_for_commands
    words = ["train", *TINY, "data=mnist-5k", "data.val_size=500", "trainer.max_epochs=1", "--json"]
    command = [sys.executable, "-c", COMMAND, *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (root / "imported.txt").read_text() == "{'torch'}"
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert done.stderr == ""
    summary = json.loads(lines[-1])
    assert set(summary) == {"run_id", "run_dir", "metrics", "dataset", "seconds"}
    assert MlflowClient(f"sqlite:///{root}/runs/mlflow.db").get_run(summary["run_id"]).info.status == "FINISHED"
    assert summary["dataset"]["name"] == "mnist-5k"
    text = done.stdout
    name = Path(summary["run_dir"]).name
    for expected in (
        "mnist-5k, 4,000 / 500 / 500",
        "parameters",
        "workers",
        "test accuracy",
        f"pipeline ui {name}",
        f"pipeline evaluate {name}",
    ):
        assert expected in text

    listed = json.loads(called(capsys, "runs", "--json").stdout)["runs"]
    assert [run["name"] for run in listed] == [name]
    evaluated = called(capsys, "evaluate", name, "--json", "--record")
    result = json.loads(evaluated.stdout.splitlines()[-1])
    right = result.pop("samples")["right"]
    assert right.count("1") / len(right) == result["metrics"]["test/accuracy"] == summary["metrics"]["test/accuracy"]
    stored = json.loads((root / "evaluations/mnist_cnn/0/result.json").read_text())
    assert {key: stored[key] for key in result} == result
    assert not (root / "mlruns").exists()  # MLflow's default place
    _a_digit_is_read_from_a_png(root, name, capsys)


def _a_digit_is_read_from_a_png(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    from pipeline.data.images.idx import mnist_sample

    images, _ = mnist_sample()
    Image.fromarray(images[0]).save(root / "digit.png")
    done = called(capsys, "predict", name, "digit.png", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout.splitlines()[-1])["predictions"]
    assert answer["input"] == "digit.png"
    assert answer["label"] in "0123456789"
    assert 0.1 <= answer["probability"] <= 1
    refused = called(capsys, "predict", name, "run.txt")
    assert refused.returncode == 2
    assert "run.txt" in refused.stderr


@pytest.fixture
def tiny_project_for_commands(project: Path, empty_database: Path) -> Path:
    (project / "runs").mkdir()
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    return project


def test_config_names_the_file_and_line_of_every_class(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = called(capsys, "config", "seed=3")
    targets = [line for line in done.stdout.splitlines() if "_target_" in line]
    assert "seed: 3" in done.stdout
    assert len(targets) == 6
    for line in targets:
        file, _, number = line.rpartition("# ")[2].rpartition(":")
        assert (project / file).is_file()
        assert int(number) > 0


def test_the_mirrors_password_is_never_printed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "https://user:canary@mirror.example/x")
    done = called(capsys, "config")
    assert "canary" not in done.stdout + done.stderr
    assert "mirror.example" in done.stdout


def test_doctor_names_what_is_missing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = called(capsys, "doctor")
    assert done.returncode == 0
    assert "pipeline data pull mnist" in done.stdout


def test_the_shell_completes_choices(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    from pipeline.cli.options import _complete

    assert "experiment=mnist_cnn" in _complete("exp")
    assert _complete("model=cnn_b") == ["model=cnn_best"]
