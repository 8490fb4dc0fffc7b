"""The saved view is one that MLflow's pages read."""

import json

from pipeline.tracking.view import TAG, saved_view


def test_a_view_has_the_best_validation_score_and_its_epoch_and_begins_with_curves() -> None:
    view = json.loads(saved_view())
    state = json.loads(view["state"])  # text within text: MLflow may compress it
    assert view["name"] == TAG.removeprefix("mlflow.sharedViewState.")
    assert {"metrics.`val/best_accuracy`", "metrics.`val/best_epoch`"} <= set(state["selectedColumns"])
    assert [chart["metricKey"] for chart in state["compareRunCharts"][:2]] == ["val/accuracy", "train/accuracy"]
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == {state["compareRunSections"][0]["uuid"]}
    assert len(saved_view()) <= 5000  # characters of a tag's value in MLflow's tables
