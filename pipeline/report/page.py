"""The page of results: one HTML file that asks nothing of the network, on a screen, on a phone and on paper."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.report import charts
from pipeline.report.details import SAMPLES
from pipeline.report.markdown import UNSEEN, costs, grouped, score, seeds, spread
from pipeline.report.references import REFERENCES
from pipeline.types import PrimaryMetric

Entry = dict[str, Any]
DETAILS = ("labels", "attention", "words", "drawn", *SAMPLES)  # an experiment has some of them


@dataclass(slots=True)
class Recorded:
    """What is recorded of an experiment beside its scores; empty where nothing is."""

    curves: dict[int, list[dict[str, float]]] = field(default_factory=dict)  # of each seed, a row an epoch
    details: dict[str, Any] | None = None  # of the first seed: see `report.details`
    errors: dict[str, Any] | None = None  # the same, with samples of the data
    samples: bytes | None = None  # a PNG: a generator's images, a row an epoch


def html(entries: Sequence[Entry], claims: Sequence[Any], recorded: dict[str, Recorded]) -> str:
    """The page, from committed results, the rows of claims, and what was recorded of each experiment."""
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
    whole = costs(entries)
    order = [one.name for _, systems, _ in panels for one in sorted(systems, key=lambda one: one.bad)]
    return environment.get_template("page.html").render(
        systems=[_system(name, groups[name], whole[name], recorded.get(name, Recorded())) for name in order],
        claims=claims,
        costs=charts.costs(panels),
        rules=charts.RULES,
        shade=_shade,
    )


def compared(entries: Sequence[Entry]) -> list[charts.Panel]:
    """Every experiment's cost and quality, in groups that compare: by data set and measure, the largest first."""
    panels: dict[str, list[charts.System]] = {}
    published: dict[str, list[tuple[str, float]]] = {}
    whole = costs(entries)
    for name, group in grouped(entries).items():
        headlines = [one for entry in group if (one := PrimaryMetric.of(entry["metrics"]))]
        share = headlines[0].unit == " %"
        values = [100 - one.value if share else one.value for one in headlines]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        measure = "wrong answers, %" if share else headlines[0].name
        data = group[0]["dataset"]["name"]
        title = f"{data}: {measure}"
        if share:
            published[title] = [(one.name, 100 - one.accuracy) for one in REFERENCES if one.data == data]
        panels.setdefault(title, []).append(
            charts.System(name, float(np.mean(whole[name])), float(np.mean(values)), sd)
        )
    found = [(title, systems, published.get(title, [])) for title, systems in panels.items()]
    return sorted(found, key=lambda panel: (-len(panel[1]), panel[0]))


def _system(name: str, group: Sequence[Entry], cpu_s: Sequence[float], recorded: Recorded) -> dict[str, Any]:
    first = group[0]
    lacking = []
    if not recorded.curves:
        lacking.append(("the learning curves", f"pipeline train experiment={name} seed={first['seed']} --record"))
    for what, found in (("the answers", recorded.details), ("the errors", recorded.errors)):
        if found is None:
            lacking.append((what, f"pipeline evaluate models/{name}-{first['seed']} --record"))
    return {
        "name": name,
        "data": first["dataset"]["name"],
        "score": score(group),
        "seeds": seeds(group),
        "cpu": spread(cpu_s, 0),
        "hardware": " / ".join(sorted({entry["hardware"] for entry in group})),
        "command": f"pipeline train experiment={name}",
        "measures": _measures(group),
        "entries": group,
        "curves": _curves(recorded.curves),
        "details": dict.fromkeys(DETAILS) | (recorded.details or {}) | (recorded.errors or {}),
        "matrix": _matrix(recorded.details),
        "samples": base64.b64encode(recorded.samples).decode() if recorded.samples else None,
        "lacking": lacking,
    }


def _measures(group: Sequence[Entry]) -> list[tuple[str, str]]:
    """Every measure that all seeds have but the headline, mean and spread."""
    shown = PrimaryMetric.of(group[0]["metrics"])
    rows = []
    for key in group[0]["metrics"]:
        name = key.removeprefix("test/").replace("_", " ")
        if (shown and name == shown.name) or not all(key in entry["metrics"] for entry in group):
            continue
        label = "accuracy on reviews that don't stand in train" if key == UNSEEN[1] else name
        rows.append((label, spread([entry["metrics"][key] for entry in group], 4)))
    return rows


def _curves(seeds: dict[int, list[dict[str, float]]]) -> list[str]:
    """A chart a measure, a line a seed and split; a single epoch is no curve."""
    measures: dict[str, list[tuple[str, list[charts.Point]]]] = {}
    for rows in seeds.values():
        for key in sorted({key for row in rows for key in row} - {"epoch"}):
            split, _, measure = key.partition("/")
            points = [(row["epoch"], row[key]) for row in rows if key in row]
            if len(points) > 1:
                measures.setdefault(measure, []).append(("a" if split == "train" else "b", points))
    return [charts.curves(measure.replace("_", " "), lines) for measure, lines in sorted(measures.items())]


def _matrix(details: dict[str, Any] | None) -> list[tuple[str, list[tuple[int, float]]]]:
    """Each true class with (count, share of its row if it is an error) for every predicted class."""
    if not details or "confusion" not in details:
        return []
    labels = details["labels"]
    counts = {(cell["actual"], cell["predicted"]): cell["count"] for cell in details["confusion"]}
    rows = []
    for actual in labels:
        row = [counts.get((actual, predicted), 0) for predicted in labels]
        whole = max(sum(row), 1)
        errors = [0.0 if predicted == actual else count / whole for predicted, count in zip(labels, row, strict=True)]
        rows.append((actual, list(zip(row, errors, strict=True))))
    worst = max((error for _, row in rows for _, error in row), default=0) or 1
    return [(actual, [(count, error / worst) for count, error in row]) for actual, row in rows]


def _shade(words: Sequence[tuple[str, float]]) -> list[tuple[str, str, int, float]]:
    """Each word with its colour (for or against the answer), its strength in percent, and its effect."""
    most = max((abs(effect) for _, effect in words), default=0) or 1
    return [
        (word, "for" if effect > 0 else "against", round(100 * abs(effect) / most), effect) for word, effect in words
    ]
