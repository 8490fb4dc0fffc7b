"""Batch prediction to a file: it is resumed after an interruption, and never mixes two models' predictions."""

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.actions import predict
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.calibration import FILE, Calibration
from pipeline.inference.inputs import CHUNK_SIZE
from pipeline.inference.requests import predict_chunk
from pipeline.models.mlp import MLP
from pipeline.runs import checkpoints

POINTS = [f"{number / 7:.3f},{number % 5}" for number in range(2 * CHUNK_SIZE + 9)]


@pytest.fixture
def model(project: Path) -> Path:
    """A stored net of the plane."""
    return store(project / "model", seed=0)


def store(folder: Path, seed: int, calibration: Calibration | None = None) -> Path:
    torch.manual_seed(seed)
    net = {"_target_": "pipeline.models.mlp.MLP", "in_shape": [2], "classes": 2, "hidden": [4]}
    config = {
        "name": "plane",
        "seed": seed,
        "data": {"name": "plane", "in_shape": [2]},
        "requires": {},
        "model": {"_target_": "pipeline.tasks.classification.Classification", "net": net},
        "labels": ["no", "yes"],
    }

    def write(aside: Path) -> None:
        checkpoints.save_weights(MLP([2], 2, [4]), aside / checkpoints.MODEL)
        (aside / checkpoints.CONFIG).write_text(json.dumps(config))
        if calibration:
            (aside / FILE).write_bytes(calibration.json())

    return checkpoints.publish(folder, write)


def to(out: Path, model: Path, lines: list[str] = POINTS) -> predict.Written:
    return predict.predict_to(out, str(model), ["-"], root=out.parent, stdin=lines)


def test_what_is_written_is_what_is_streamed(model: Path, project: Path) -> None:
    streamed = list(predict.predict(str(model), ["-"], root=project, stdin=POINTS))
    assert to(project / "out.jsonl", model) == (len(POINTS), 0, 0)
    written = [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]
    assert {row.pop("model")[:8] for row in written} == {"plane-0:"}
    assert written == streamed
    assert [row["input"] for row in streamed] == [f"stdin:{number + 1}" for number in range(len(POINTS))]
    assert all(abs(sum(row["probabilities"].values()) - 1) < 1e-5 for row in streamed)


def test_nothing_is_read_before_it_is_asked_for(model: Path, project: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield "1,1"

    answers = predict.predict(str(model), ["-"], root=project, stdin=endless())
    assert next(answers)["label"] in ("no", "yes")
    assert len(taken) == CHUNK_SIZE


@pytest.mark.parametrize("lines", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE + 8])
def test_a_file_that_was_cut_off_is_completed_to_the_same_bytes(
    lines: int, model: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = project / "whole.jsonl", project / "cut.jsonl"
    to(whole, model)
    kept = whole.read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(kept[:lines]) + kept[lines][:20])  # the line it died in
    answered: list[int] = []

    def counting(predictor: Any, chunk: Any) -> Any:
        answers = predict_chunk(predictor, chunk)
        answered.append(len(answers))
        return answers

    monkeypatch.setattr(predict, "predict_chunk", counting)
    assert to(cut, model) == (len(POINTS), lines, 0)
    assert cut.read_bytes() == whole.read_bytes()
    assert sum(answered) <= len(POINTS) - lines + CHUNK_SIZE  # no more than a chunk is done again
    answered.clear()
    assert to(cut, model) == (len(POINTS), len(POINTS), 0)
    assert not answered


def test_a_file_of_another_model_or_of_other_inputs_is_left_alone(model: Path, project: Path) -> None:
    out = project / "out.jsonl"
    to(out, model)
    before = out.read_bytes()
    other = store(project / "other", seed=1)
    with pytest.raises(DataError, match=r"out\.jsonl:1: expected a prediction of plane-1:.* Choose another --out"):
        to(out, other)
    with pytest.raises(DataError, match=r"for more than these"):
        to(out, model, POINTS[:-1])
    with pytest.raises(DataError, match=r"out\.jsonl:1: expected a prediction of plane-0.* for 'stdin:1'"):
        predict.predict_to(out, str(model), ["0,1"], root=project)
    assert out.read_bytes() == before
    for mine in ("a letter\n", "a letter", '{"lr": 0.1}'):
        (project / "mine.txt").write_text(mine)
        with pytest.raises(DataError, match=r"mine\.txt:1: not a prediction of"):
            to(project / "mine.txt", model)
        assert (project / "mine.txt").read_text() == mine


def test_a_set_has_each_class_that_validation_leaves_possible(project: Path) -> None:
    # A temperature of 1e6 makes both classes equally probable; with 9 samples, coverage .9 takes the least of them.
    for least, expected in ((0.4, ["no", "yes"]), (0.6, None)):
        calibration = Calibration(1e6, np.array([least] + [0.9] * 8))
        model = store(project / f"model-{least}", 0, calibration)
        (prediction,) = predict.predict(str(model), ["-"], root=project, stdin=["0,1"], coverage=0.9)
        assert prediction["set"] == (expected or [prediction["label"]])
        assert prediction["probability"] == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ConfigError, match=r"calibrated on 9 samples.* at most 0\.9\."):
        predict.predict(str(model), ["-"], root=project, stdin=["0,1"], coverage=0.95)


def test_sets_of_another_coverage_are_not_mixed_into_a_file(project: Path) -> None:
    model, out = store(project / "model", 0, Calibration(1.0, np.linspace(0.1, 1, 99))), project / "out.jsonl"
    for _ in range(2):
        predict.predict_to(out, str(model), ["-"], root=project, stdin=["0,1", "moon", "1,0"], coverage=0.9)
    assert [json.loads(line)["coverage"] for line in out.read_text().splitlines()] == [0.9] * 3
    with pytest.raises(
        DataError, match=r"expected a prediction of plane-0:\w+ for 'stdin:1', got one of .* coverage 0\.9"
    ):
        to(out, model, ["0,1", "moon", "1,0"])


def test_without_a_calibration_there_are_no_sets(model: Path, project: Path) -> None:
    with pytest.raises(ConfigError, match="plane was stored without a calibration"):
        predict.predict(str(model), ["-"], root=project, stdin=["0,1"], coverage=0.9)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, float("nan")])
def test_a_coverage_is_a_probability_that_can_be_missed(coverage: float, model: Path, project: Path) -> None:
    with pytest.raises(ConfigError, match=r"--coverage \S+: expected a number between 0 and 1"):
        predict.predict(str(model), ["-"], root=project, stdin=["0,1"], coverage=coverage)


def test_an_input_that_cant_be_read_has_its_line(model: Path, project: Path) -> None:
    assert to(project / "out.jsonl", model, ["0,1", "moon", "1,0"]) == (3, 0, 1)
    first, wrong, last = (json.loads(line) for line in (project / "out.jsonl").read_text().splitlines())
    assert "error" in wrong
    assert wrong["input"] == "stdin:2"
    assert {"label", "probability"} <= first.keys() & last.keys()


def test_progress_is_told_out_of_all_there_are(model: Path, project: Path) -> None:
    (project / "a.txt").write_text("0,1")
    told: list[tuple[int, int]] = []
    predict.predict_to(
        project / "out.jsonl",
        str(model),
        ["a.txt", "1,1"],
        root=project,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_a_cluster_gives_the_same_answers_in_the_same_order(model: Path, project: Path) -> None:
    alone, together = project / "alone.jsonl", project / "together.jsonl"
    to(alone, model)
    assert predict.predict_to(together, str(model), ["-"], root=project, stdin=POINTS, cluster=True) == (
        len(POINTS),
        0,
        0,
    )
    assert together.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("out", ["/dev/full", "/dev/null", "folder", "pipe", "/proc/x/a", "file/below"])
def test_only_regular_files_are_written(out: str, model: Path, project: Path) -> None:
    (project / "folder").mkdir()
    (project / "file").touch()
    os.mkfifo(project / "pipe")
    with pytest.raises(DataError, match=r"--out .*(expected a regular file|its folder can't be made)"):
        to(project / out, model)


@pytest.mark.parametrize("redirected", [True, False])
def test_standard_output_is_not_a_file_to_resume(redirected: bool, model: Path, project: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "predict", str(model), "0,1", "--out", "/dev/stdout"]
    with (project / "printed").open("wb") as file:
        done = subprocess.run(
            command,
            cwd=project,
            stdout=file if redirected else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert re.fullmatch(r"error: --out /dev/stdout: .* Choose another file\.\n", done.stderr)
    assert not (project / "printed").read_bytes()


def test_a_file_without_line_ends_is_refused_in_bounded_memory(model: Path, project: Path) -> None:
    out = project / "zeros"
    with out.open("wb") as file:
        file.truncate(1 << 33)  # sparse: 8 GiB that are read as zeros
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="zeros:1: not a prediction"):
            to(out, model)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()
    assert out.stat().st_size == 1 << 33


def test_an_empty_standard_input_makes_no_file(model: Path, project: Path) -> None:
    with pytest.raises(DataError, match="standard input: is empty"):
        to(project / "out.jsonl", model, [])
    assert not (project / "out.jsonl").exists()


def test_a_file_name_that_is_not_utf8_is_written_and_resumed(model: Path, project: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (project / name).write_text("0,1")
    for resumed in (0, 1):
        written = predict.predict_to(project / "out.jsonl", str(model), [name], root=project)
        assert written == (1, resumed, 0)
    assert json.loads((project / "out.jsonl").read_text(encoding="utf-8"))["input"] == name


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_file_names_beyond_ascii_are_printed_in_every_locale(
    environment: dict[str, str], model: Path, project: Path
) -> None:
    names = ["零.txt", os.fsdecode(b"caf\xe9.txt")]
    for name in names:
        (project / name).write_text("0,1")
    command = [sys.executable, "-m", "pipeline", "predict", str(model), *names]
    done = subprocess.run(command, cwd=project, env={**os.environ, **environment}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 2


def test_a_missing_file_is_reported_before_the_model_is_loaded(
    model: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "load", lambda folder: pytest.fail("loaded"))
    with pytest.raises(DataError, match=r"points\.txt: no such file"):
        predict.predict(str(model), ["0,1", "points.txt"], root=project)
