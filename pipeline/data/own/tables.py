"""Tables of samples: the columns of texts (or files) and labels are recognised or named, rows are read as a stream.

A row that can't be used is yielded with the reason, so that the others still are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.data.own.layout import is_system, plain, split_of
from pipeline.data.own.records import KNOWN, records_of, table_format
from pipeline.errors import DataError

__all__ = ["Bad", "Columns", "Kind", "Row", "kind_of_table", "rows", "table_format", "table_parts"]

Kind = Literal["text", "file"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns that a user chose; None: recognised by their names."""

    text: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A sample: a text, or the path of a file, and its class, with the line that it starts on."""

    line: int
    text: str
    label: str
    remark: str | None = None  # on how its label was read


@dataclass(frozen=True, slots=True)
class Bad:
    """A sample that is set aside: its file, or file and line, and the reason."""

    where: str
    why: str


def table_parts(path: Path) -> dict[str, list[Path]]:
    """The tables of each split: of a table itself `all`; of a folder (or its `data/`) those named after splits.

    Empty if the path is neither a table nor a folder with a table for training.
    """
    if table_format(path) and not path.is_dir():
        return {"all": [path]}
    for folder in (path, path / "data"):
        parts: dict[str, list[Path]] = {}
        for file in sorted(folder.iterdir()) if folder.is_dir() else []:
            split = split_of(file.name.partition(".")[0]) if table_format(file) and not is_system(file.name) else None
            if split:
                parts.setdefault(split, []).append(file)
        if "train" in parts:
            return parts if len(parts) > 1 else {"all": parts["train"]}
    if alone := _metadata(path):
        return {"all": [alone]}
    inside: dict[str, list[Path]] = {}
    for folder in sorted(path.iterdir()) if path.is_dir() else []:
        below, split = _metadata(folder), split_of(folder.name)
        if below and split:
            inside[split] = [below]
    return inside if "train" in inside and len(inside) > 1 else {}


def _metadata(folder: Path) -> Path | None:
    """The table of file names and labels in a folder, as Hugging Face's image folders have it."""
    for file in (folder / "metadata.csv", folder / "metadata.jsonl"):
        if file.is_file():
            with file.open("rb") as content:
                if b"file_name" in content.read(4096):
                    return file
    return None


def kind_of_table(path: Path, columns: Columns) -> Kind:
    """Whether a table holds texts or names files.

    Raises: DataError, showing the header, if it is neither.
    """
    with records_of(path) as (header, _):
        return _recognised(path, header, columns)[2]


def rows(path: Path, columns: Columns) -> Iterator[Row | Bad]:
    """The labelled rows of a table, in its order.

    Raises: DataError for a table that can't be read, or whose columns are not recognised.
    """
    with records_of(path) as (header, records):
        text, label, _ = _recognised(path, header, columns)
        for line, cells in records:
            where = f"{path.name}:{line}"
            yield Bad(where, cells) if isinstance(cells, str) else _row(where, line, cells.get(text), cells.get(label))


def _row(where: str, line: int, text: object, label: object) -> Row | Bad:
    if label is None or not str(label).strip():
        return Bad(where, "has no label")
    if text is None or (isinstance(text, str) and not text.strip()):
        return Bad(where, "is empty")
    if not isinstance(text, str):
        inside = isinstance(text, dict) and "bytes" in text
        return Bad(
            where, "holds a picture itself: write pictures to files" if inside else f"holds {text!r:.40}, not a text"
        )
    if isinstance(label, dict | list):
        return Bad(where, f"has {json.dumps(label)[:40]} for a label, not a text or number")
    try:
        f"{text}{label}".encode()
    except UnicodeEncodeError:
        return Bad(where, "holds half a character (a lone surrogate)")
    name, remark = plain(str(label))
    return Row(line, text, name, remark)


def _recognised(path: Path, header: list[str], columns: Columns) -> tuple[str, str, Kind]:
    """The columns of the sample and of the label, and what the sample is.

    Raises: DataError that shows the header.
    """
    label = _column(path, header, columns.label, "label")
    if columns.text:
        return _named(path, header, columns.text, "text"), label or _ask(path, header, "label"), "text"
    text = _column(path, header, None, "text")
    file = None if text else _column(path, header, None, "file")
    return text or file or _ask(path, header, "text"), label or _ask(path, header, "label"), "text" if text else "file"


def _column(path: Path, header: list[str], chosen: str | None, what: str) -> str | None:
    if chosen:
        return _named(path, header, chosen, what)
    lowered = [name.strip().lower() for name in header]
    found = [header[lowered.index(name)] for name in KNOWN[what] if name in lowered]
    if len(found) > 1 and found[0].strip().lower() != KNOWN[what][0]:
        raise _unclear(path, header, f"{len(found)} columns that may be the {what} ({', '.join(found)})", what)
    return found[0] if found else None


def _named(path: Path, header: list[str], chosen: str, what: str) -> str:
    if chosen not in header:
        raise DataError(
            f"{path}: data.{what}_column is {chosen!r}, and the columns are {', '.join(header)}. "
            f"Set data.{what}_column to one of them."
        )
    return chosen


def _ask(path: Path, header: list[str], what: str) -> str:
    raise _unclear(path, header, f"no column that is known as the {what}", what)


def _unclear(path: Path, header: list[str], got: str, what: str) -> DataError:
    shown = ", ".join(repr(name[:40]) for name in header[:10])
    return DataError(
        f"{path}: expected a header with the columns text and label (or file and label), got {got} in the first line: "
        f"{shown}. Name it with data.{what}_column=… (data check: --{what}-column …), or add a header line if there "
        "is none."
    )
