"""Accuracy under shifts: curves for the results page, a table for docs/results.md, lines for a model card."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.report import charts
from pipeline.report.markdown import spread
from pipeline.runs.results import Curve, Result

# Kinds of shift in the order in which they are shown, each with what its strength is.
STRENGTHS = {
    "rotation": "degrees",
    "noise": "standard deviation",
    "blur": "standard deviation, % of the height",
    "inversion": "1: inverted",
    "stroke width": "pixels at each edge",
    "typos": "share of the words",
    "truncation": "share of the words that is cut off",
    "negation": "words from it to the adjective; 0: none",
}
# Columns of the tables: kind of shift, strength, heading.
IMAGES = (
    ("rotation", 0, "unshifted"),
    ("rotation", 30, "rotated by 30°"),
    ("noise", 0.2, "noise, sd .2"),
    ("blur", 4, "blur, sd 4 % of the height"),
    ("inversion", 1, "inverted"),
    ("stroke width", -0.5, "strokes thinner by 1 pixel"),
    ("stroke width", 1, "thicker by 2 pixels"),
)
TEXTS = (
    ("typos", 0, "unshifted"),
    ("typos", 0.1, "typos in 10 % of the words"),
    ("truncation", 0.9, "the first 10 % of the words"),
    ("negation", 0, "short sentences"),
    ("negation", 1, "the same with “not”"),
)
ABOUT = (
    "Accuracy in percent where inputs are shifted as users' inputs are, on up to 1,000 test samples, the same for each "
    "model. Nothing was chosen by these figures. A short sentence is of the form “The acting is boring”: the model is "
    "right with “not” if it takes the sentence for the contrary. The HTML page of `pipeline report` has the curves; "
    "[how sure a model is](explanation/uncertainty.md) describes the shifts."
)


def curves(group: Sequence[Result]) -> list[str]:
    """A chart for each kind of shift that all seeds have, with a line for each seed."""
    return [
        charts.shifted(kind, strength, [list(zip(each["strength"], each["accuracy"], strict=True)) for each in found])
        for kind, strength in STRENGTHS.items()
        if (found := _of_kind(group, kind))
    ]


def markdown(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """The section on robustness."""
    recorded = {name: group for name, group in groups.items() if all("robustness" in entry for entry in group)}
    lines = ["## Robustness", "", ABOUT, ""]
    for columns in (IMAGES, TEXTS):
        rows = {name: group for name, group in recorded.items() if _of_kind(group, columns[0][0])}
        if rows:
            lines += [
                f"| experiment | {' | '.join(title for _, _, title in columns)} |",
                "| --- |" + " --- |" * len(columns),
            ]
            lines += [f"| {name} | {' | '.join(_cells(group, columns))} |" for name, group in rows.items()] + [""]
    return lines if recorded else [*lines, "Not recorded yet.", ""]


def card_lines(robustness: Mapping[str, Curve]) -> Iterator[str]:
    """A table of a model's curves."""
    yield "\n| shift | strength: accuracy |\n| --- | --- |"
    for kind in (kind for kind in STRENGTHS if kind in robustness):
        curve = robustness[kind]
        points = zip(curve["strength"], curve["accuracy"], strict=True)
        values = ", ".join(f"{strength:g}: {100 * accuracy:.1f} %" for strength, accuracy in points)
        yield f"| {kind} ({STRENGTHS[kind]}; {curve['samples']:,} samples) | {values} |"


def _cells(group: Sequence[Result], columns: Sequence[tuple[str, float, str]]) -> Iterator[str]:
    for kind, strength, _ in columns:
        found = _of_kind(group, kind)
        values = [100 * each["accuracy"][each["strength"].index(strength)] for each in found]
        yield spread(values, 1) if values else ""


def _of_kind(group: Sequence[Result], kind: str) -> list[Curve]:
    """Each seed's curve of a kind of shift; empty if one lacks it."""
    found = [curve for entry in group if (curve := entry.get("robustness", {}).get(kind))]
    return found if len(found) == len(group) else []
