"""Accuracy under shifts in the page, in docs/results.md and in a model card."""

from xml.etree import ElementTree

from pipeline.evaluation import robustness as measured
from pipeline.evaluation.text_shifts import SENTENCES
from pipeline.report import robustness
from pipeline.runs.results import Curve, Result


def run(*accuracies: float) -> Result:
    rotation: Curve = {"samples": 1000, "strength": [0, 30], "accuracy": list(accuracies)}
    return {"robustness": {"rotation": rotation}}


def test_each_kind_of_shift_has_a_chart_with_a_line_for_each_seed() -> None:
    (chart,) = robustness.curves([run(0.99, 0.9), run(0.98, 0.8)])
    drawn = ElementTree.fromstring(chart)
    tag = "{http://www.w3.org/2000/svg}"
    lines = [line.attrib["points"] for line in drawn.iter(f"{tag}polyline")]
    assert len(lines) == 2
    heights = [[float(point.split(",")[1]) for point in line.split(" ")] for line in lines]
    assert heights[0][1] < heights[1][1]  # upwards is less: .9 is above .8
    assert "30: 80.0%" in {title.text for title in drawn.iter(f"{tag}title")}
    assert robustness.curves([run(0.99, 0.9), {}]) == []


def test_the_table_has_the_mean_of_the_seeds_and_leaves_out_what_is_not_recorded() -> None:
    lines = robustness.markdown({"cnn": [run(0.99, 0.9), run(0.98, 0.8)], "gan": [{}]})
    assert "| cnn | 98.5 ± 0.7 | 85.0 ± 7.1 |  |  |  |  |  |" in lines
    assert not any("gan" in line for line in lines)
    assert "Not recorded yet." in robustness.markdown({"gan": [{}]})


def test_a_model_card_has_every_point_of_its_curves() -> None:
    card = "\n".join(robustness.card_lines(run(0.99, 0.9)["robustness"]))
    assert "| rotation (degrees; 1,000 samples) | 0: 99.0 %, 30: 90.0 % |" in card


def test_every_kind_of_shift_and_every_strength_in_a_table_is_measured() -> None:
    strengths = {shift.name: shift.strengths for shift in (*measured.OF_IMAGES, *measured.OF_DIGITS)}
    strengths |= {shift.name: shift.strengths for shift in measured.OF_TEXTS}
    strengths[measured.NEGATION] = tuple(SENTENCES)
    assert list(strengths) == list(robustness.STRENGTHS)
    assert all(strength in strengths[kind] for kind, strength, _ in (*robustness.IMAGES, *robustness.TEXTS))
