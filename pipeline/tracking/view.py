"""The saved view of an experiment's runs in MLflow's pages: the columns of the table and the order of the charts.

MLflow keeps a view as a tag of the experiment, and lists it under "Views". Without one the table shows no score, and
groups of charts are sorted by name: `run` and `test`, whose metrics have one value each, come before most curves.
"""

import json
from contextlib import suppress

from pipeline.types import PRIMARY_METRICS

KEY = "scores"
TAG = f"mlflow.sharedViewState.{KEY}"
CURVES = [f"{split}/{name}" for name in (*PRIMARY_METRICS, "loss") for split in ("val", "train")]


def saved_view() -> str:
    """Return the tag's value: the models, best validation scores, their epochs and test scores; the best run first.

    MLflow hides columns and charts of metrics that no run has, and adds the other metrics in groups of their own.
    """
    metrics = [f"val/best_{name}" for name in (*PRIMARY_METRICS, "loss")]
    metrics += ["val/best_epoch", *(f"test/{name}" for name in PRIMARY_METRICS)]
    state = {
        "selectedColumns": ["attributes.`Models`", *(f"metrics.`{name}`" for name in metrics)],
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": False,
        "compareRunCharts": [_curve(name) for name in CURVES],
        "compareRunSections": [{"uuid": "curves", "name": "curves", "display": True, "isReordered": True}],
        "isAccordionReordered": True,  # keeps the curves first
    }
    return json.dumps({"name": KEY, "createdAt": 0, "state": json.dumps(state, separators=(",", ":"))})


def save_view(experiment: str, server: str) -> None:
    """Store the view of an experiment, which one of an older version lacks; without it MLflow shows its own."""
    import mlflow

    with suppress(mlflow.MlflowException):
        mlflow.MlflowClient(server).set_experiment_tag(experiment, TAG, saved_view())


def _curve(metric: str) -> dict[str, object]:
    """Return a line chart over epochs, as MLflow's pages store one."""
    return {
        "type": "LINE",
        "uuid": metric,
        "metricKey": metric,
        "metricSectionId": "curves",
        "displayName": metric,
        "isGenerated": True,
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {},
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
