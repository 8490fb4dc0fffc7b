"""Records of CSV, TSV and JSON Lines files (each also as gzip) and Parquet files, as a stream with line numbers."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.own.encoding import not_utf8, refuse
from pipeline.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

    from pyarrow.parquet import ParquetFile

CELL = 16 << 20  # characters of a cell, and of a line
SUFFIXES = {".csv": "CSV", ".tsv": "TSV", ".tab": "TSV", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}
SUFFIXES |= {".parquet": "Parquet"}
FORMATS = "CSV, TSV, JSON Lines (also with .gz) and Parquet"
DELIMITERS = ",;\t|"
# Names of columns, the most usual first, compared without case.
KNOWN: dict[str, tuple[str, ...]] = {
    "text": ("text", "review", "sentence", "content", "message", "comment", "document", "body", "tweet"),
    "file": ("file", "file_name", "filename", "path", "filepath", "image", "image_path"),
    "label": ("label", "class", "category", "sentiment", "target", "labels"),
}

Record = tuple[int, dict[str, object] | str]  # the line it starts on; the cells by column, or why it is set aside


def table_format(path: Path) -> str | None:
    """CSV, TSV, JSON Lines or Parquet, by the file's name; None for another file."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    found = SUFFIXES.get(suffixes[-1]) if suffixes else None
    return None if found == "Parquet" and path.suffix.lower() == ".gz" else found


@contextmanager
def records_of(path: Path) -> Iterator[tuple[list[str], Iterator[Record]]]:
    """The names of a table's columns, and its records."""
    kind = table_format(path)
    if kind is None or not path.is_file():
        found = "a pipe, device or folder" if path.exists() else "nothing"
        got = found if kind else repr(path.name)
        raise DataError(f"{path}: expected a table ({FORMATS}), got {got}. Give data.path.")
    reader: Callable[[Path], tuple[list[str], Iterator[Record]]]
    reader = {"Parquet": _parquet, "JSON Lines": _json_lines}.get(kind, _separated)
    try:
        header, records = reader(path)
        yield header, records
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {not_utf8(error.object, path.name)}.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a table ({FORMATS}), got {error}. Make the file again.") from error


def _lines(path: Path) -> Iterator[str]:
    """Lines of a text file or gzip of one, with their ends, each of a limited length.

    Raises: DataError for a longer line, or a text that holds NULs as UTF-16 does.
    """
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain_bytes: gzip.GzipFile | io.BufferedReader = gzip.GzipFile(fileobj=raw) if zipped else raw
        with io.TextIOWrapper(plain_bytes, encoding="utf-8-sig", newline="") as file:
            number = 0
            while line := file.readline(CELL + 1):
                number += 1
                if len(line) > CELL:
                    raise DataError(f"{path}:{number}: expected lines of at most {CELL:,} characters. Split the text.")
                if number == 1 and "\0" in line:
                    raise refuse(path)
                yield line


def _separated(path: Path) -> tuple[list[str], Iterator[Record]]:
    """Columns and records of a CSV or TSV file."""
    csv.field_size_limit(CELL)
    lines = _lines(path)
    first = next(lines, "")
    if not first.strip():
        raise DataError(f"{path}: expected a header with the columns text and label, got an empty first line. Add it.")
    delimiter = _delimiter(first, table_format(path) == "TSV")
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    header = [name.strip() for name in _next(path, reader) or []]
    return header, _cells(path, reader, header)


def _delimiter(first: str, tab: bool) -> str:
    """The delimiter that splits a header into the most known columns, then into the most columns."""

    def known(delimiter: str) -> tuple[int, int, bool]:
        try:
            names = next(csv.reader([first], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return 0, 0, False
        lowered = {name.strip().lower() for name in names}
        return sum(bool(lowered & set(words)) for words in KNOWN.values()), len(names), (delimiter == "\t") is tab

    return max(DELIMITERS, key=known)


def _next(path: Path, reader: "Reader") -> list[str] | None:
    before = reader.line_num + 1
    try:
        return next(reader, None)
    except csv.Error as error:
        what = "a quote that is opened here is never closed" if "end of data" in str(error) else str(error)
        raise DataError(f"{path}:{before}: expected a line of cells, got {what}. Fix that line.") from error


def _cells(path: Path, reader: "Reader", header: list[str]) -> Iterator[Record]:
    line = reader.line_num + 1
    while (cells := _next(path, reader)) is not None:
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif cells and any(cell.strip() for cell in cells):
            advice = ". A text with the delimiter in it stands in double quotes" if len(cells) > len(header) else ""
            yield line, f"has {len(cells)} cells, the header {len(header)}{advice}"
        line = reader.line_num + 1


def _json_lines(path: Path) -> tuple[list[str], Iterator[Record]]:
    records = _objects(path)
    first = list(_until_object(records))
    header = list(first[-1][1]) if first and isinstance(first[-1][1], dict) else []
    if not header:
        raise DataError(f"{path}: expected a JSON object in each line, got none. Give a JSON Lines file.")
    return header, chain(first, records)


def _until_object(records: Iterable[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        if isinstance(record[1], dict):
            return


def _objects(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"is not JSON ({error})"
            continue
        yield number, row if isinstance(row, dict) else "is not a JSON object"


def _parquet(path: Path) -> tuple[list[str], Iterator[Record]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise DataError(f"{path}: expected a Parquet file, got {error}. Make the file again.") from error
    return file.schema_arrow.names, _parquet_rows(path, file)


def _parquet_rows(path: Path, file: "ParquetFile") -> Iterator[Record]:
    """Rows of a Parquet file, numbered from 1; numbers of a Hugging Face ClassLabel become its names."""
    metadata = json.loads((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})
    names = {column: feature["names"] for column, feature in features.items() if "names" in (feature or {})}
    number = 0
    for batch in file.iter_batches(1000):
        for row in batch.to_pylist():
            number += 1
            labels = {column: row[column] for column in names if isinstance(row.get(column), int)}
            named = {
                column: _class_name(f"{path}:{number}", column, names[column], label)
                for column, label in labels.items()
            }
            yield number, row | named


def _class_name(where: str, column: str, names: list[str], label: int) -> str | None:
    """The name of a ClassLabel's number; None for -1, which Hugging Face writes where there is no label.

    Raises: DataError for another number that has no name.
    """
    if label == -1:
        return None
    if not 0 <= label < len(names):
        raise DataError(
            f"{where}: expected 0 to {len(names) - 1} in the column {column}, or -1 for no label, got {label}. "
            "Fix that label, or add its name to the ClassLabel."
        )
    return names[label]
