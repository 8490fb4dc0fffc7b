"""A user's CSV file for the Playground: two coordinates and a label a row."""

import csv
import io
import math
from collections.abc import Sequence

from pipeline.app.play.settings import MAX_POINTS
from pipeline.errors import DataError

Row = tuple[float, float, float]


def read_csv(content: bytes) -> tuple[list[Row], str]:
    """Points and labels of a CSV file, and a sentence on how they were read.

    The first three columns are x1, x2 and the label; further columns are ignored. Fields are separated by commas,
    semicolons or tabs; with semicolons or tabs a decimal comma is accepted. Coordinates are scaled to [-5, 5]. Two
    different labels are two classes; more are regression targets, scaled to [-1, 1].

    Raises: DataError that names the line at fault.
    """
    delimiter, rows = _rows(content)
    if rows and len(rows[0][1]) >= 3 and not all(_number(cell, delimiter) is not None for cell in rows[0][1][:2]):
        rows = rows[1:]  # column names
    if not 4 <= len(rows) <= MAX_POINTS:
        raise DataError(
            f"Your file: expected 4 to {MAX_POINTS:,} rows of x1, x2, label, got {len(rows):,}. Choose another file."
        )
    points = [_point(number, row, delimiter) for number, row in rows]
    targets, meaning = _targets([label for _, _, label in points], delimiter)
    x, y = _scaled([x for x, _, _ in points], 5), _scaled([y for _, y, _ in points], 5)
    ignored = max(sum(bool(cell.strip()) for cell in row[3:]) for _, row in rows)
    note = f" Only the first three columns are used; {ignored} more ignored." if ignored else ""
    return list(zip(x, y, targets, strict=True)), f"{len(points):,} points. {meaning}{note}"


def _rows(content: bytes) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter, and the rows that are not blank with their line numbers."""
    try:
        text = content.decode("utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = ";" if first.count(";") >= 2 else "\t" if "\t" in first else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return delimiter, [(number, row) for number, row in enumerate(reader, 1) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Your file: expected a CSV file in UTF-8, got {error}. Save it as CSV (UTF-8).") from error


def _targets(labels: Sequence[str], delimiter: str) -> tuple[list[float], str]:
    """Targets in [-1, 1], and their meaning as a sentence."""
    names = sorted(set(labels))
    values = {name: _number(name, delimiter) for name in names}
    if len(names) < 2 or (len(names) > 2 and None in values.values()):
        shown = ", ".join(names[:5])[:80]
        raise DataError(
            f"Your file: expected two classes, or numbers as labels, got {len(names)} different labels: {shown}. "
            "Correct the third column."
        )
    if len(names) == 2:
        if None not in values.values():
            names.sort(key=lambda name: values[name] or 0.0)
        targets = [1.0 if label == names[1] else -1.0 for label in labels]
        return targets, f"Two classes: {names[1][:20]} is blue, {names[0][:20]} is orange."
    return _scaled([values[label] or 0.0 for label in labels], 1), "Labels are numbers, scaled to -1 to 1."


def _point(number: int, row: list[str], delimiter: str) -> tuple[float, float, str]:
    x, y = (_number(cell, delimiter) for cell in (*row, "", "")[:2])
    if len(row) < 3 or x is None or y is None or not row[2].strip():
        found = f"{delimiter} ".join(row)[:60]
        raise DataError(
            f"Your file, line {number}: expected x1, x2, label with two numbers, got {found!r}. Correct this line."
        )
    return x, y, row[2].strip()


def _number(cell: str, delimiter: str) -> float | None:
    try:
        value = float(cell if delimiter == "," else cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e150 else None


def _scaled(values: list[float], reach: float) -> list[float]:
    low, high = min(values), max(values)
    return [((value - low) / (high - low) * 2 - 1) * reach if high > low else 0.0 for value in values]
