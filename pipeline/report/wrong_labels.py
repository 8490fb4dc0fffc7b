"""Sections on wrong labels: those known in MNIST's test set, and those that look wrong in its train set."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.judged_labels import JUDGED, TEST_SUSPECTS, TRAIN_IMAGES
from pipeline.evaluation.known_label_errors import KNOWN_LABEL_ERRORS
from pipeline.runs import results
from pipeline.runs.results import Result

VERDICTS = ("wrong", "ambiguous", "right")


def in_test(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """The section on test labels that are known to be wrong; empty without results on such data."""
    concerned = {name: group for name, group in groups.items() if group[0]["dataset"]["name"] in KNOWN_LABEL_ERRORS}
    concerned = {name: group for name, group in concerned.items() if "test/accuracy" in group[0]["metrics"]}
    if not concerned:
        return []
    lines = [
        "## Wrong labels in MNIST's test set",
        "",
        f"{len(KNOWN_LABEL_ERRORS['mnist'])} of the 10,000 test labels are wrong by the votes published at "
        "labelerrors.com (Northcutt, Athalye, Mueller 2021, arXiv:2103.14749). All scores here are by the official "
        "labels; a perfect model would make these errors. Mean of the seeds.",
        "",
    ]
    rows, missing = [], []
    for name, group in concerned.items():
        counted = [_errors(entry) for entry in group]
        known = [pair for pair in counted if pair]
        if len(known) == len(group):
            errors, explained = np.mean(known, axis=0)
            rows.append(f"| {name} | {errors:.1f} | {explained:.1f} |")
        else:
            missing.append(name)
    if rows:
        lines += ["| experiment | errors | of them at wrong labels |", "| --- | --- | --- |", *rows, ""]
    return [*lines, f"Not recorded: {', '.join(missing)}.", ""] if missing else lines


def in_train() -> list[str]:
    """The section on labels of MNIST's train set, with each judgement."""
    groups = {verdict: [each for each in JUDGED if each.judgement == verdict] for verdict in VERDICTS}
    wrong, ambiguous, right = (len(group) for group in groups.values())
    low, high = wilson(wrong / len(JUDGED), len(JUDGED))
    known = KNOWN_LABEL_ERRORS["mnist"]
    found = len(set(known) & set(TEST_SUSPECTS))
    lines = [
        "## Wrong labels in MNIST's train set",
        "",
        "Confident learning in cross-validation (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068) with five small nets "
        f"names {len(JUDGED)} of the {TRAIN_IMAGES:,} train labels as wrong, {100 * len(JUDGED) / TRAIN_IMAGES:.2f} %. "
        "One judge, not blind and not confirmed by a second, with each image magnified beside both classes, finds "
        f"{wrong} plainly wrong, {ambiguous} ambiguous and {right} right. The precision is "
        f"{100 * wrong / len(JUDGED):.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %), or "
        f"{100 * (wrong + ambiguous) / len(JUDGED):.0f} % if ambiguous ones count as well. Among the test labels the "
        f"same nets name {len(TEST_SUSPECTS)}, {found} of them among the {len(known)} known wrong ones: most wrong "
        "labels are not named. Repeat it: `python -m benchmarks.wrong_labels`.",
        "",
        "| judgement | number: label, suspected class |",
        "| --- | --- |",
    ]
    for verdict, group in groups.items():
        cells = "; ".join(f"{each.number}: {each.label}, {each.suspected}" for each in group)
        lines.append(f"| {verdict} ({len(group)}) | {cells} |")
    return [*lines, ""]


def _errors(entry: Result) -> tuple[int, int] | None:
    """A run's errors, and how many of them are at labels that are known to be wrong; None if not recorded."""
    right_N = results.right_samples(entry)
    if right_N is None:
        return None
    wrong = list(KNOWN_LABEL_ERRORS[entry["dataset"]["name"]])
    return int((~right_N).sum()), int((~right_N[wrong]).sum())
