"""Points to learn from: the Playground's sets, split and shuffled once, or one's own from a CSV file."""

import csv
import io
import math
from dataclasses import dataclass

import numpy as np

from pipeline.app.play.net import Array
from pipeline.app.play.settings import POINTS, REGRESSION, Feature, Settings
from pipeline.data.toy2d.generators import FEATURES, PROBLEMS, REGRESSION_PROBLEMS
from pipeline.errors import DataError

CLASSIFICATION_POINTS, REGRESSION_POINTS = 500, 1200
GRID, REACH = 100, 6.0  # pixels a side, and what they span: -6 to 6


@dataclass(frozen=True, slots=True)
class Points:
    """(N, 2) points and (N,) targets of -1 to 1; the first `train` are learned from."""

    xy_N2: Array
    target_N: Array
    train: int


def draw(settings: Settings) -> Points:
    """The points of a problem, in the fixed order in which they are learned."""
    rng = np.random.default_rng([settings.seed, 0])
    if settings.problem == "own":
        table = np.array(settings.points)
        xy, target = table[:, :2], table[:, 2]
    elif settings.problem in REGRESSION:
        xy, target = REGRESSION_PROBLEMS[settings.problem](rng, REGRESSION_POINTS, settings.noise / 100)
    else:
        xy, label = PROBLEMS[settings.problem](rng, CLASSIFICATION_POINTS, settings.noise / 100)
        target = np.where(label, 1.0, -1.0)
    order = rng.permutation(len(xy))
    return Points(xy[order], target[order].astype(float), max(1, len(xy) * settings.ratio // 100))


def features(xy_N2: Array, names: list[Feature]) -> Array:
    """(F + 1, N): the chosen functions of the points, and a last row of ones for the biases."""
    x, y = xy_N2.T
    return np.stack([*(FEATURES[name](x, y) for name in names), np.ones_like(x)])


def grid() -> Array:
    """(10,000, 2): the middles of the picture's pixels, row by row from the top."""
    middles = (np.arange(GRID) + 0.5) / GRID * 2 * REACH - REACH
    x, y = np.meshgrid(middles, -middles)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def read_csv(content: bytes) -> tuple[list[tuple[float, float, float]], str]:
    """Points and labels of a file with three columns (two coordinates, a label), and a sentence on how they were taken.

    Coordinates are moved and scaled into -5 to 5. Two different labels are two classes; more are numbers to be met,
    scaled into -1 to 1.

    Raises: DataError that names the line at fault.
    """
    try:
        text = content.decode("utf-8-sig")
        dialect = ";" if text.partition("\n")[0].count(";") >= 2 else "\t" if "\t" in text.partition("\n")[0] else ","
        rows = [
            (number, row)
            for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=dialect, strict=True), 1)
            if any(cell.strip() for cell in row)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Your file: expected a CSV file in UTF-8, got {error}. Save it as CSV (UTF-8).") from error
    if rows and len(rows[0][1]) == 3 and not all(_number(cell) is not None for cell in rows[0][1][:2]):
        rows = rows[1:]  # the names of the columns
    if not 4 <= len(rows) <= POINTS:
        raise DataError(
            f"Your file: expected 4 to {POINTS:,} rows of x1, x2, label, got {len(rows):,}. Choose another."
        )
    points = [_point(number, row) for number, row in rows]
    names = sorted({label for _, _, label in points})
    values = [_number(name) for name in names]
    if len(names) < 2 or (len(names) > 2 and None in values):
        raise DataError(
            f"Your file: expected two classes, or numbers as labels, got {len(names)}: {', '.join(names[:5])[:80]}."
        )
    if len(names) == 2:
        if None not in values:
            names.sort(key=float)
        target = [1.0 if label == names[1] else -1.0 for _, _, label in points]
        kind = f"Two classes: {names[1][:20]} is blue, {names[0][:20]} is orange."
    else:
        target = _scaled([float(label) for _, _, label in points], 1)
        kind = "Labels are numbers, scaled into -1 to 1."
    x, y = _scaled([x for x, _, _ in points], 5), _scaled([y for _, y, _ in points], 5)
    return list(zip(x, y, target, strict=True)), f"{len(points):,} points. {kind}"


def _point(number: int, row: list[str]) -> tuple[float, float, str]:
    x, y = (_number(cell) for cell in (*row, "", "")[:2])
    if len(row) != 3 or x is None or y is None or not row[2].strip():
        found = ", ".join(row)[:60]
        raise DataError(f"Your file, line {number}: expected x1, x2, label with two numbers, got {found!r}. Mend it.")
    return x, y, row[2].strip()


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e150 else None


def _scaled(values: list[float], reach: float) -> list[float]:
    low, high = min(values), max(values)
    return [((value - low) / (high - low) * 2 - 1) * reach if high > low else 0.0 for value in values]
