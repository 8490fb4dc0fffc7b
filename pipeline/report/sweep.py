"""Parallel coordinates of a sweep: a line for each trial through its values and its score."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

MAX_LETTERS = 18  # of a value in a label
MAX_TICKS = 12  # different numbers that are all labelled


def parallel_coordinates(
    keys: Sequence[str], rows: Sequence[tuple[Sequence[str], float]], score: str, best: int, path: Path
) -> None:
    """Draw an axis for each searched key and one for the score; each row is (values, score), coloured by its score.

    Row `best` is drawn on top with a thick line. Numbers that span a decade or more have a logarithmic scale.
    """
    columns = [_positions([values[index] for values, _ in rows]) for index in range(len(keys))]
    scores = [value for _, value in rows]
    columns.append(_positions([f"{value:.2f}" for value in scores]))
    positions_RC = np.array([positions for positions, _ in columns]).T
    shades = colormaps["viridis_r"](Normalize(min(scores), max(scores))(np.array(scores)))
    figure = Figure(figsize=(2.2 * len(columns) + 1, 4.6), layout="constrained")
    axes = figure.subplots()
    for row in sorted(range(len(rows)), key=lambda row: (row == best, scores[row])):
        width, alpha = (3.0, 1.0) if row == best else (1.2, 0.6)
        axes.plot(positions_RC[row], color=shades[row], linewidth=width, alpha=alpha, marker="o", ms=3)
    for column, (_, ticks) in enumerate(columns):
        _draw_axis(axes, column, ticks)
    names = [".".join(key.lstrip("+").split(".")[-2:]) for key in keys]
    axes.set_xticks(range(len(columns)), [*names, score])
    axes.set_xlim(-0.3, len(columns) - 0.4)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{len(rows)} trials; the thick line is the best, {scores[best]:.2f}")
    figure.savefig(path, dpi=110)


def _positions(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Positions in [0, 1] of values, and the ticks of their axis."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        words = sorted(set(values))
        place = {word: index / ((len(words) - 1) or 1) for index, word in enumerate(words)}
        return [place[value] for value in values], [(place[word], word[:MAX_LETTERS]) for word in words]
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= 10

    def at(value: float) -> float:
        a, b, x = (math.log(n) if log else n for n in (low, high, value))
        return (x - a) / (b - a) if b > a else 0.5

    marks = sorted(set(numbers))
    if len(marks) > MAX_TICKS or any(at(b) - at(a) < 0.05 for a, b in pairwise(marks)):
        marks = list(np.geomspace(low, high, 5) if log else np.linspace(low, high, 5))
    return [at(number) for number in numbers], [(at(mark), f"{mark:.4g}") for mark in marks]


def _draw_axis(axes: Axes, column: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(column, color="#888", linewidth=0.8, zorder=0)
    for place, text in ticks:
        box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
        axes.text(column + 0.04, place, text, fontsize=8, va="center", bbox=box)
