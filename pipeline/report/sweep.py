"""The picture of a sweep: a line a trial through what was chosen and how well it did."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

LONGEST = 18  # letters of a value
MANY = 12  # different numbers that are still written one by one


def parallel_coordinates(
    keys: Sequence[str], rows: Sequence[tuple[Sequence[str], float]], score: str, best: int, path: Path
) -> None:
    """An axis a searched key and one for the score; each row is (a value a key, score), shaded by its score.

    `best` is the row drawn on top, thick. Numbers that span a decade or more stand on a logarithmic scale.
    """
    columns = [_placed([values[at] for values, _ in rows]) for at in range(len(keys))]
    scores = [value for _, value in rows]
    columns.append(_placed([f"{value:.2f}" for value in scores]))
    places_RC = np.array([places for places, _ in columns]).T
    shades = colormaps["viridis_r"](Normalize(min(scores), max(scores))(np.array(scores)))
    figure = Figure(figsize=(2.2 * len(columns) + 1, 4.6), layout="constrained")
    axes = figure.subplots()
    for row in sorted(range(len(rows)), key=lambda row: (row == best, scores[row])):
        width, alpha = (3.0, 1.0) if row == best else (1.2, 0.6)
        axes.plot(places_RC[row], color=shades[row], linewidth=width, alpha=alpha, marker="o", ms=3)
    for at, (_, ticks) in enumerate(columns):
        _scale(axes, at, ticks)
    names = [".".join(key.lstrip("+").split(".")[-2:]) for key in keys]
    axes.set_xticks(range(len(columns)), [*names, score])
    axes.set_xlim(-0.3, len(columns) - 0.4)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{len(rows)} trials; the thick line is the best, {scores[best]:.2f}")
    figure.savefig(path, dpi=110)


def _placed(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Places from 0 to 1 for values, and the marks of their axis."""
    try:
        numbers: list[Any] = [float(value) for value in values]
    except ValueError:
        words = sorted(set(values))
        place = {word: index / ((len(words) - 1) or 1) for index, word in enumerate(words)}
        return [place[value] for value in values], [(place[word], word[:LONGEST]) for word in words]
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= 10

    def at(value: float) -> float:
        a, b, x = (math.log(n) if log else n for n in (low, high, value))
        return (x - a) / (b - a) if b > a else 0.5

    marks = sorted(set(numbers))
    if len(marks) > MANY or any(at(b) - at(a) < 0.05 for a, b in pairwise(marks)):
        marks = list(np.geomspace(low, high, 5) if log else np.linspace(low, high, 5))
    return [at(number) for number in numbers], [(at(mark), f"{mark:.4g}") for mark in marks]


def _scale(axes: Axes, at: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(at, color="#888", linewidth=0.8, zorder=0)
    for place, text in ticks:
        box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
        axes.text(at + 0.04, place, text, fontsize=8, va="center", bbox=box)
