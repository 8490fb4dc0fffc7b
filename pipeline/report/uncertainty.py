"""Tables of what scores are uncertain of: intervals over test samples, calibration, foreign images."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation import conformal
from pipeline.evaluation.intervals import wilson
from pipeline.report.markdown import spread
from pipeline.runs.results import Result
from pipeline.types import PrimaryMetric

# Metric, column, digits, factor
COLUMNS = (
    ("test/ece", "ECE, %", 2, 100),
    ("test/ece_uncalibrated", "without temperature, %", 2, 100),
    ("test/temperature", "temperature", 2, 1),
    ("test/brier", "Brier score", 4, 1),
    ("test/coverage", "coverage of 99 % sets, %", 2, 100),
    ("test/set_size", "classes in a set", 2, 1),
)
LETTERS = "test/ood_auroc_letters"


def interval(entries: Sequence[Result]) -> str:
    """The 95 % interval over the test samples of one seed, around the mean of the seeds; empty if not a fraction."""
    metrics = [metric for entry in entries if (metric := PrimaryMetric.of(entry["metrics"]))]
    samples = entries[0]["dataset"]["rows"].get("test")
    if not samples or metrics[0].unit != " %":
        return ""
    low, high = wilson(float(np.mean([metric.value for metric in metrics])) / 100, samples)
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def calibration_markdown(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """The section on calibration and prediction sets."""
    classifiers = {name: group for name, group in groups.items() if "test/accuracy" in group[0]["metrics"]}
    calibrated = {name: group for name, group in classifiers.items() if _all_have(group, "test/ece")}
    rest = {name: group for name, group in classifiers.items() if name not in calibrated}
    no_probabilities = [name for name, group in rest.items() if _all_have(group, "test/accuracy_low")]
    not_recorded = [name for name in rest if name not in no_probabilities]
    validation = {name: group[0]["dataset"]["rows"]["val"] for name, group in calibrated.items()}
    few = [f"{name} ({n})" for name, n in validation.items() if not conformal.threshold(np.ones(n), conformal.COVERAGE)]
    lines = [
        "## Calibration and prediction sets",
        "",
        "ECE is the expected calibration error, the mean distance of confidence and accuracy in 15 bins, of the "
        "probabilities that `pipeline predict` shows: with the temperature that was fitted on validation. The Brier "
        "score is theirs as well. A prediction set (`pipeline predict --coverage .99`) is to hold the true class of "
        "99 % of the samples; measured is how many test samples it does hold, and with how many classes.",
        "",
    ]
    if calibrated:
        lines.append(f"| experiment | {' | '.join(column for _, column, _, _ in COLUMNS)} |")
        lines.append("| --- |" + " --- |" * len(COLUMNS))
    for name, group in calibrated.items():
        cells = [
            spread([factor * entry["metrics"][key] for entry in group], digits) for key, _, digits, factor in COLUMNS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if calibrated:
        lines.append("")
    if few:
        lines += [f"Too few validation samples for 99 %, so that a set has every class: {', '.join(few)}.", ""]
    if no_probabilities:
        lines += [f"No probabilities, since threshold units have none: {', '.join(no_probabilities)}.", ""]
    if not_recorded:
        lines += [f"Not recorded: {', '.join(not_recorded)}.", ""]
    return lines


def foreign_markdown(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """The section on images that are no digits; empty where none is recorded."""
    rows = [
        f"| {name} | {spread([entry['metrics'][LETTERS] for entry in group], 4)} |"
        for name, group in groups.items()
        if _all_have(group, LETTERS)
    ]
    if not rows:
        return []
    return [
        "## Images that are no digits",
        "",
        "`pipeline predict` marks unfamiliar images by the Mahalanobis distance from validation's digits. AUROC, the "
        "area under the ROC curve, is the probability that a printed letter is farther away than a test digit; .5 is "
        "chance.",
        "",
        "| experiment | AUROC, letters against digits |",
        "| --- | --- |",
        *rows,
        "",
    ]


def _all_have(group: Sequence[Result], metric: str) -> bool:
    return all(metric in entry["metrics"] for entry in group)
