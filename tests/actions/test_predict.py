"""Many inputs to a file: a run that was cut off goes on, and never mixes the answers of two models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.actions import predict
from pipeline.errors import DataError
from pipeline.inference.inputs import COUNT
from pipeline.inference.requests import predict_chunk
from pipeline.models.mlp import MLP
from pipeline.runs import checkpoints

POINTS = [f"{number / 7:.3f},{number % 5}" for number in range(2 * COUNT + 9)]


@pytest.fixture
def model(project: Path) -> Path:
    """A stored net of the plane."""
    return store(project / "model", seed=0)


def store(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    net = {"_target_": "pipeline.models.mlp.MLP", "in_shape": [2], "classes": 2, "hidden": [4]}
    config = {
        "name": "plane",
        "seed": seed,
        "data": {"name": "plane", "in_shape": [2]},
        "model": {"_target_": "pipeline.tasks.classification.Classification", "net": net},
        "labels": ["no", "yes"],
    }

    def write(aside: Path) -> None:
        checkpoints.save_weights(MLP([2], 2, [4]), aside / checkpoints.MODEL)
        (aside / checkpoints.CONFIG).write_text(json.dumps(config))

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
    assert len(taken) == COUNT


@pytest.mark.parametrize("lines", [0, 1, COUNT - 1, COUNT, COUNT + 1, 2 * COUNT + 8])
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

    monkeypatch.setattr(predict, "of_piece", counting)
    assert to(cut, model) == (len(POINTS), lines, 0)
    assert cut.read_bytes() == whole.read_bytes()
    assert sum(answered) <= len(POINTS) - lines + COUNT  # no more than a chunk is done again
    answered.clear()
    assert to(cut, model) == (len(POINTS), len(POINTS), 0)
    assert not answered


def test_a_file_of_another_model_or_of_other_inputs_is_left_alone(model: Path, project: Path) -> None:
    out = project / "out.jsonl"
    to(out, model)
    before = out.read_bytes()
    other = store(project / "other", seed=1)
    with pytest.raises(DataError, match=r"out\.jsonl:1: holds what plane-0:.* Give another --out"):
        to(out, other)
    with pytest.raises(DataError, match=r"to more inputs than these"):
        to(out, model, POINTS[:-1])
    with pytest.raises(DataError, match=r"out\.jsonl:1: holds what .* says of 'stdin:1', expected .* '0,1'"):
        predict.predict_to(out, str(model), ["0,1"], root=project)
    assert out.read_bytes() == before
    (project / "mine.txt").write_text("a letter\n")
    with pytest.raises(DataError, match=r"mine\.txt:1: no answer of"):
        to(project / "mine.txt", model)
    assert (project / "mine.txt").read_text() == "a letter\n"


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
        told=lambda done, total: told.append((done, total)),
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
