"""The page's section about one experiment: its scores, curves and details, ready for the template."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.report import charts, robustness, uncertainty
from pipeline.report.details import SAMPLES
from pipeline.report.labels import Point
from pipeline.report.markdown import UNSEEN, score, seeds, spread
from pipeline.runs.results import Result
from pipeline.types import PrimaryMetric

IN_INTERVAL = ("test/accuracy_low", "test/accuracy_high")  # which is shown beside the score
LABELS = {
    UNSEEN[1]: "accuracy on samples that do not occur in train",
    "test/ece": "expected calibration error",
    "test/ece_uncalibrated": "expected calibration error without temperature",
    "test/brier": "Brier score",
    "test/coverage": "coverage of 99 % prediction sets",
    "test/set_size": "classes in a prediction set",
    "test/ood_auroc_letters": "AUROC of the distance, printed letters against digits",
}
DETAILS = ("labels", "attention", "words", "drawn", *SAMPLES)  # the keys that the template reads
CONFUSED = 5  # pairs of classes that are named


@dataclass(slots=True)
class Recorded:
    """Recorded data of an experiment beside its metrics; None or empty where nothing is recorded."""

    description: str = ""
    curves: dict[int, list[dict[str, float]]] = field(default_factory=dict)  # by seed, a row for each epoch
    loss_note: str = ""  # why the training loss stands above the validation loss
    details: dict[str, Any] | None = None  # of the first seed: see `report.details`
    errors: dict[str, Any] | None = None  # details with samples of the data
    samples: bytes | None = None  # a PNG of a generator's images, a row for each epoch


@dataclass(frozen=True, slots=True)
class Seed:
    """A row of the table of seeds."""

    seed: int
    score: str
    cpu_s: str
    run: str
    commit: str
    weights: str
    configuration: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix: each true class with (count, shade) of every predicted class, and the most frequent errors.

    The shade is the error rate, scaled to [0, 1].
    """

    rows: list[tuple[str, list[tuple[int, float]]]]
    frequent: list[tuple[str, str, int]]  # true class, predicted class, count
    wrong: int
    total: int


@dataclass(frozen=True, slots=True)
class Section:
    """All that the page shows of one experiment."""

    name: str
    description: str
    data: str
    score: str
    interval: str  # 95 %, over the test samples; empty if the score is not a fraction
    value: float  # of the score
    seeds: str
    cpu: str
    cpu_s: float
    hardware: str
    command: str
    measures: list[tuple[str, str]]
    rows: list[Seed]
    curves: list[str]
    loss_note: str
    details: dict[str, Any]
    confusion: Confusion | None
    reliability: str | None  # the diagram of calibration
    robustness: list[str]  # charts of accuracy under shifts
    samples: str | None
    lacking: list[tuple[str, str]]  # what is not recorded, and the command that records it
    lacks_errors: bool  # whether the samples with the worst errors, which git does not hold, are not recorded


def section(name: str, group: Sequence[Result], cpu_s: Sequence[float], recorded: Recorded) -> Section:
    """The section of an experiment, from its results and their cost."""
    first = group[0]
    lacking = []
    if not recorded.curves:
        lacking.append(("the learning curves", f"pipeline train experiment={name} seed={first['seed']} --record"))
    classifies = "test/accuracy" in first["metrics"]
    if classifies and recorded.details is None:
        lacking.append(("the confusion matrix", f"pipeline evaluate models/{name}-{first['seed']} --record"))
    metrics = [metric.value for entry in group if (metric := PrimaryMetric.of(entry["metrics"]))]
    return Section(
        name=name,
        description=recorded.description,
        data=first["dataset"]["name"],
        score=score(group),
        interval=uncertainty.interval(group),
        value=sum(metrics) / len(metrics),
        seeds=seeds(group),
        cpu=spread(cpu_s, 0),
        cpu_s=sum(cpu_s) / len(cpu_s),
        hardware=" / ".join(sorted({entry["hardware"] for entry in group})),
        command=f"pipeline train experiment={name}",
        measures=_measures(group),
        rows=[_seed(entry, cost) for entry, cost in zip(group, cpu_s, strict=True)],
        curves=_curves(recorded.curves),
        loss_note=recorded.loss_note,
        details=dict.fromkeys(DETAILS) | (recorded.details or {}) | (recorded.errors or {}),
        confusion=_confusion(recorded.details),
        reliability=_reliability(recorded.details),
        robustness=robustness.curves(group),
        samples=base64.b64encode(recorded.samples).decode() if recorded.samples else None,
        lacking=lacking,
        lacks_errors=classifies and recorded.errors is None,
    )


def _seed(entry: Result, cpu_s: float) -> Seed:
    commit = (entry["commit"] or "unknown")[:10] + ("+" if entry["dirty"] else "")
    weights, configuration = entry["weights_digest"][:12], entry["config_digest"][:12]
    return Seed(entry["seed"], score([entry]), f"{cpu_s:.0f}", entry["name"], commit, weights, configuration)


def _measures(group: Sequence[Result]) -> list[tuple[str, str]]:
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
    metrics: dict[str, list[tuple[str, list[Point]]]] = {}
    for rows in seeds.values():
        for key in sorted({key for row in rows for key in row} - {"epoch"}):
            split, _, metric = key.partition("/")
            points = [(row["epoch"], row[key]) for row in rows if key in row]
            if len(points) > 1:
                metrics.setdefault(metric, []).append(("a" if split == "train" else "b", points))
    return [charts.curves(metric.replace("_", " "), lines) for metric, lines in sorted(metrics.items())]


def _reliability(details: dict[str, Any] | None) -> str | None:
    return charts.reliability(details["reliability"]) if details and "reliability" in details else None


def _confusion(details: dict[str, Any] | None) -> Confusion | None:
    if not details or "confusion" not in details:
        return None
    labels = details["labels"]
    counts = {(cell["actual"], cell["predicted"]): cell["count"] for cell in details["confusion"]}
    rows = []
    for actual in labels:
        row = [counts.get((actual, predicted), 0) for predicted in labels]
        total = max(sum(row), 1)
        errors = [0.0 if predicted == actual else count / total for predicted, count in zip(labels, row, strict=True)]
        rows.append((actual, list(zip(row, errors, strict=True))))
    worst = max((error for _, row in rows for _, error in row), default=0) or 1
    wrong = sorted(((*pair, count) for pair, count in counts.items() if pair[0] != pair[1]), key=lambda one: -one[2])
    return Confusion(
        [(actual, [(count, error / worst) for count, error in row]) for actual, row in rows],
        wrong[:CONFUSED],
        sum(count for _, _, count in wrong),
        sum(counts.values()),
    )


def shade(words: Sequence[tuple[str, float]]) -> list[tuple[str, str, int, float]]:
    """Each word with its CSS class (for or against the prediction), its strength in percent, and its effect."""
    largest = max((abs(effect) for _, effect in words), default=0) or 1
    return [
        (word, "for" if effect > 0 else "against", round(100 * abs(effect) / largest), effect) for word, effect in words
    ]
