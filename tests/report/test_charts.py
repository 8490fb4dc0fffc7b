"""Charts: places on scales, and what stands on the front of quality and cost."""

from xml.etree import ElementTree

import pytest

from pipeline.report.charts import Axis, Panel, System, costs, curves, front, reliability, standalone


def test_a_logarithmic_scale_puts_the_geometric_mean_in_the_middle() -> None:
    axis = Axis(1, 100, 0, 200, log=True)
    assert [axis(1), axis(10), axis(100)] == pytest.approx([0, 100, 200])
    assert axis.ticks() == [1, 3, 10, 30, 100]


def test_a_linear_scale_has_round_ticks_between_its_ends() -> None:
    assert Axis(0.92, 1.0, 0, 1).ticks() == pytest.approx([0.92, 0.94, 0.96, 0.98, 1.0])


def test_the_front_holds_what_no_other_beats_at_its_cost() -> None:
    cheap, good, worse, same = (System(name, *at, 0) for name, at in (
        ("cheap", (1, 9)), ("good", (10, 2)), ("worse", (20, 3)), ("same", (10, 2)),
    ))  # fmt: skip
    assert [one.name for one in front([worse, good, cheap, same])] == ["cheap", "good", "same"]


def texts(chart: str) -> set[str]:
    drawn = ElementTree.fromstring(standalone(chart))
    return {"".join(node.itertext()) for node in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_a_system_that_compares_with_none_is_drawn_only_where_all_are_alone() -> None:
    lonely: list[Panel] = [("one", [System("x", 1, 1, 0)], []), ("two", [System("y", 1, 1, 0)], [])]
    assert {"x", "y"} <= texts(costs(lonely))
    assert not {"one", "x"} & texts(costs([lonely[0], ("three", [System("z", 5, 1, 0), System("w", 5, 2, 0)], [])]))


def test_charts_are_well_formed_and_name_what_they_show() -> None:
    published = [("theirs", 0.01)]
    panels = [
        ("a < b", [System("x&y", 0, 0, 0), System("other", 50, 3, 0.2)], []),
        ("two", [System("z", 5, 1, 0), System("w", 5, 2, 0)], published),
    ]
    assert {"a < b", "x&y", "other", "z", "0", "theirs"} <= texts(costs(panels))
    line = ElementTree.fromstring(curves("loss", [("a", [(1, 0.5), (2, 0.25)]), ("b", [(1, 0.6), (2, 0.6)])]))
    points = [node.attrib["points"].split() for node in line.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(each) for each in points] == [2, 2]
    first, second = (float(point.split(",")[1]) for point in points[0])
    assert first < second  # a smaller loss stands lower


def test_a_reliability_diagram_has_a_point_for_each_bin() -> None:
    bins = {"uncalibrated": [[10, 0.9, 0.5], [30, 1.0, 0.9]], "calibrated": [[40, 0.75, 0.75]]}
    drawn = ElementTree.fromstring(standalone(reliability(bins)))
    titles = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["10: 90.0% sure, 50.0% right", "30: 100.0% sure, 90.0% right", "40: 75.0% sure, 75.0% right"]
