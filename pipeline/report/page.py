"""The results page: one self-contained HTML file for screens, phones and print."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.report import charts, uncertainty
from pipeline.report.details import SAMPLES
from pipeline.report.markdown import UNSEEN, costs, grouped, score, seeds, spread
from pipeline.report.references import REFERENCES
from pipeline.types import PrimaryMetric

Entry = dict[str, Any]
IN_INTERVAL = ("test/accuracy_low", "test/accuracy_high")  # which is shown beside the score
LABELS = {
    UNSEEN[1]: "accuracy on samples that do not occur in train",
    "test/ece": "expected calibration error",
    "test/ece_uncalibrated": "expected calibration error without temperature",
    "test/brier": "Brier score",
    "test/coverage": "coverage of 99 % prediction sets",
    "test/set_size": "classes in a prediction set",
}
DETAILS = ("labels", "attention", "words", "drawn", *SAMPLES)  # the keys that the template reads


@dataclass(slots=True)
class Recorded:
    """Recorded data of an experiment beside its metrics; None or empty where nothing is recorded."""

    curves: dict[int, list[dict[str, float]]] = field(default_factory=dict)  # by seed, a row for each epoch
    details: dict[str, Any] | None = None  # of the first seed: see `report.details`
    errors: dict[str, Any] | None = None  # details with samples of the data
    samples: bytes | None = None  # a PNG of a generator's images, a row for each epoch


def html(entries: Sequence[Entry], claims: Sequence[Any], recorded: dict[str, Recorded]) -> str:
    """The page, from committed results, the table of claims, and the recorded data of each experiment."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = grouped(entries)
    panels = compared(entries)
    cpu_s = costs(entries)
    order = [system.name for _, systems, _ in panels for system in sorted(systems, key=lambda system: system.error)]
    return environment.get_template("page.html").render(
        systems=[_system(name, groups[name], cpu_s[name], recorded.get(name, Recorded())) for name in order],
        claims=claims,
        costs=charts.costs(panels),
        rules=charts.RULES,
        shade=_shade,
    )


def compared(entries: Sequence[Entry]) -> list[charts.Panel]:
    """Cost and error of every experiment, in comparable groups by data set and metric, the largest group first."""
    panels: dict[str, list[charts.System]] = {}
    published: dict[str, list[tuple[str, float]]] = {}
    cpu_s = costs(entries)
    for name, group in grouped(entries).items():
        metrics = [metric for entry in group if (metric := PrimaryMetric.of(entry["metrics"]))]
        percent = metrics[0].unit == " %"
        values = [100 - metric.value if percent else metric.value for metric in metrics]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        measure = "error, %" if percent else metrics[0].name
        data = group[0]["dataset"]["name"]
        title = f"{data}: {measure}"
        if percent:
            published[title] = [
                (reference.name, 100 - reference.accuracy) for reference in REFERENCES if reference.data == data
            ]
        panels.setdefault(title, []).append(
            charts.System(name, float(np.mean(cpu_s[name])), float(np.mean(values)), sd)
        )
    comparable = [(title, systems, published.get(title, [])) for title, systems in panels.items()]
    return sorted(comparable, key=lambda panel: (-len(panel[1]), panel[0]))


def _system(name: str, group: Sequence[Entry], cpu_s: Sequence[float], recorded: Recorded) -> dict[str, Any]:
    first = group[0]
    lacking = []
    if not recorded.curves:
        lacking.append(("the learning curves", f"pipeline train experiment={name} seed={first['seed']} --record"))
    for what, details in (("the confusion matrix", recorded.details), ("the worst errors", recorded.errors)):
        if details is None:
            lacking.append((what, f"pipeline evaluate models/{name}-{first['seed']} --record"))
    return {
        "name": name,
        "data": first["dataset"]["name"],
        "score": score(group),
        "interval": uncertainty.interval(group),
        "seeds": seeds(group),
        "cpu": spread(cpu_s, 0),
        "hardware": " / ".join(sorted({entry["hardware"] for entry in group})),
        "command": f"pipeline train experiment={name}",
        "measures": _measures(group),
        "entries": group,
        "curves": _curves(recorded.curves),
        "details": dict.fromkeys(DETAILS) | (recorded.details or {}) | (recorded.errors or {}),
        "matrix": _matrix(recorded.details),
        "reliability": _reliability(recorded.details),
        "samples": base64.b64encode(recorded.samples).decode() if recorded.samples else None,
        "lacking": lacking,
    }


def _measures(group: Sequence[Entry]) -> list[tuple[str, str]]:
    """Mean and standard deviation of every metric that all seeds have, without the primary one."""
    primary = PrimaryMetric.of(group[0]["metrics"])
    rows = []
    for key in group[0]["metrics"]:
        name = key.removeprefix("test/").replace("_", " ")
        if (primary and name == primary.name) or not all(key in entry["metrics"] for entry in group):
            continue
        if key in IN_INTERVAL:
            continue
        # A generator's coverage is that of the classes.
        own_name = key == "test/coverage" and "test/set_size" not in group[0]["metrics"]
        label = name if own_name else LABELS.get(key, name)
        rows.append((label, spread([entry["metrics"][key] for entry in group], 4)))
    return rows


def _curves(seeds: dict[int, list[dict[str, float]]]) -> list[str]:
    """A chart for each metric with a line for each seed and split; a single epoch gives no curve."""
    metrics: dict[str, list[tuple[str, list[charts.Point]]]] = {}
    for rows in seeds.values():
        for key in sorted({key for row in rows for key in row} - {"epoch"}):
            split, _, metric = key.partition("/")
            points = [(row["epoch"], row[key]) for row in rows if key in row]
            if len(points) > 1:
                metrics.setdefault(metric, []).append(("a" if split == "train" else "b", points))
    return [charts.curves(metric.replace("_", " "), lines) for metric, lines in sorted(metrics.items())]


def _reliability(details: dict[str, Any] | None) -> str | None:
    return charts.reliability(details["reliability"]) if details and "reliability" in details else None


def _matrix(details: dict[str, Any] | None) -> list[tuple[str, list[tuple[int, float]]]]:
    """Each true class with (count, shade) for every predicted class; the shade is the error rate, scaled to [0, 1]."""
    if not details or "confusion" not in details:
        return []
    labels = details["labels"]
    counts = {(cell["actual"], cell["predicted"]): cell["count"] for cell in details["confusion"]}
    rows = []
    for actual in labels:
        row = [counts.get((actual, predicted), 0) for predicted in labels]
        total = max(sum(row), 1)
        errors = [0.0 if predicted == actual else count / total for predicted, count in zip(labels, row, strict=True)]
        rows.append((actual, list(zip(row, errors, strict=True))))
    worst = max((error for _, row in rows for _, error in row), default=0) or 1
    return [(actual, [(count, error / worst) for count, error in row]) for actual, row in rows]


def _shade(words: Sequence[tuple[str, float]]) -> list[tuple[str, str, int, float]]:
    """Each word with its CSS class (for or against the prediction), its strength in percent, and its effect."""
    largest = max((abs(effect) for _, effect in words), default=0) or 1
    return [
        (word, "for" if effect > 0 else "against", round(100 * abs(effect) / largest), effect) for word, effect in words
    ]
