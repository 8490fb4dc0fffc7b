"""Pictures and pages of results."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.inference.predictor import PointClassifier
from pipeline.models.neuron import gate
from pipeline.report import figures, markdown
from pipeline.runs.results import Result
from pipeline.types import Predictions, PrimaryMetric


def test_the_family_of_activations_and_a_decision_can_be_drawn(tmp_path: Path) -> None:
    figures.activations(tmp_path / "activations.png")
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1])
    figures.decision_map(PointClassifier(gate("and"), {}, {}), points, tmp_path / "map.png")
    for name in ("activations", "map"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_metric_of_ones_own_without_a_split_has_its_curve(tmp_path: Path) -> None:
    figures.learning_curves([{"epoch": 0, "metrics": {"grad_norm": 1.0, "val/loss": 0.5}}], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("classes", "numbers"), [(3, 2), (300, 0)])
def test_a_confusion_matrix_has_a_number_in_each_cell_that_has_a_count_unless_there_are_too_many(
    classes: int, numbers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **style: written.append(text))
    scores = np.eye(classes)[[0, 0, 2]]  # the predicted classes; the true ones are 0, 0 and 0
    predictions = Predictions(np.zeros(3, dtype=int), scores, tuple(f"class {index}" for index in range(classes)))
    figures.confusion_matrix(predictions, "title", tmp_path / "matrix.png")
    assert sorted(written) == ["1", "2"][:numbers]
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")


def test_each_wrong_prediction_has_its_undistorted_picture_and_caption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, dpi: drawn.append(self))
    scores = np.array([[0.3, 0.7], [0.9, 0.1], [0.2, 0.8], *[[0.45, 0.55]] * 7])  # the second is right
    predictions = Predictions(np.zeros(10, dtype=int), scores, ("a", "b"))
    images = np.random.default_rng(0).random((10, 20, 30, 3))
    figures.error_grid(images, predictions, tmp_path / "errors.png")
    (axes,) = drawn[0].axes
    captions = [text.get_text() for text in axes.texts]
    assert captions == [
        "a, not b (80%)",
        "a, not b (70%)",
        *["a, not b (55%)"] * 7,
        "9 of 9 errors, the most confident first",
    ]
    np.testing.assert_array_equal(axes.images[0].get_array(), images[2])
    boxes = np.array([image.get_window_extent().bounds for image in axes.images])
    np.testing.assert_allclose(boxes[:, 2] / boxes[:, 3], 30 / 20)
    assert len({(round(left), round(bottom)) for left, bottom, _, _ in boxes}) == 9
    assert len({round(bottom) for _, bottom, _, _ in boxes}) == 2  # eight a row


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ({"test/loss": 0.1, "test/accuracy": 0.9955}, "accuracy 99.55 %"),
        ({"test/exact_match": 0.998}, "exact match 99.80 %"),
        ({"test/fid": 0.0963, "test/coverage": 1.0}, "fid 0.096"),
    ],
)
def test_the_headline_is_what_a_result_is_judged_by(scores: dict[str, float], text: str) -> None:
    assert str(PrimaryMetric.of(scores)) == text


def test_what_has_no_score_has_no_headline() -> None:
    assert PrimaryMetric.of({"train/loss": 0.3, "val/accuracy": 0.5}) is None
    assert str(PrimaryMetric.of({"val/accuracy": 0.5}, "val")) == "accuracy 50.00 %"


def test_a_score_is_the_mean_and_spread_over_seeds_in_its_own_unit() -> None:
    entries: list[Result] = [{"metrics": {"test/fid": value}} for value in (0.1, 0.2, 0.3)]
    assert markdown.score(entries) == "fid 0.200 ± 0.100"
    assert markdown.score([{"metrics": {"test/accuracy": 0.5}}]) == "accuracy 50.00 %"


@pytest.mark.parametrize(
    ("found", "told"),
    [([0], "0"), ([0, 1], "0, 1"), ([2, 0, 1], "0 to 2"), ([0, 1, 3], "0, 1, 3")],
)
def test_seeds_that_follow_each_other_are_told_by_the_first_and_the_last(found: list[int], told: str) -> None:
    assert markdown.seeds([{"seed": seed} for seed in found]) == told


def test_a_result_costs_what_it_was_built_on_too_each_part_once() -> None:
    built_on = {"language": [], "net": ["language-0"], "mean": ["net-0", "language-0", "not_recorded-0"]}
    entries: list[Result] = [
        {"experiment": name, "seed": 0, "cpu_s": cost, "built_on": built_on[name]}
        for name, cost in (("language", 100.0), ("net", 10.0), ("mean", 1.0))
    ]
    assert markdown.costs(entries) == {"language": [100], "net": [110], "mean": [111]}


def test_a_cost_does_not_depend_on_the_order_in_which_its_parts_are_summed() -> None:
    names = [f"part{place}" for place in range(9)]
    entries: list[Result] = [{"experiment": name, "seed": 0, "cpu_s": 0.1} for name in names]
    whole: Result = {"experiment": "whole", "seed": 0, "cpu_s": 0.1, "built_on": [f"{name}-0" for name in names]}
    assert markdown.costs([*entries, whole])["whole"] == [1]  # one after the other, ten tenths are less
