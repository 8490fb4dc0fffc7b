"""Files with classes, as folders or tables name them."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pipeline.data.own.tables import Bad, Columns, Row, kind_of_table, rows
from pipeline.errors import DataError
from pipeline.types import Split


@dataclass(frozen=True, slots=True)
class Listing:
    """Files by name with their classes (None: in no class folder), the splits that folders name, and what was found."""

    files: dict[str, str | None]
    splits: dict[str, Split]
    set_aside: dict[str, str]  # files that are not even opened, and why
    remarks: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in alphabetic order."""
        return tuple(sorted({label for label in self.files.values() if label}))


def files_of_tables(path: Path, parts: dict[str, list[Path]], columns: Columns) -> Listing:
    """Files that tables name. A file on two lines with different classes is set aside, with both lines."""
    lines: dict[str, list[tuple[str, str, str]]] = {}  # of a file: its classes, with the line and the split of each
    aside: dict[str, str] = {}
    remarks: dict[str, None] = {}
    for split, row, where, folder in _named_files(parts, columns):
        if isinstance(row, Bad):
            aside[row.where] = row.why
            continue
        if row.remark:
            remarks[row.remark] = None
        lines.setdefault(_below(folder, where, row.text.strip(), beside(path)), []).append((where, row.label, split))
    files: dict[str, str | None] = {}
    for name, found in lines.items():
        if len({(label, split) for _, label, split in found}) > 1:
            each = ", ".join(f"{label} in {where}" for where, label, _ in found)
            aside[name] = f"has contradictory labels or splits: {each}"
        else:
            files[name] = found[0][1]
    if twice := sum(len(found) - 1 for name, found in lines.items() if name in files):
        remarks[f"duplicates  {twice:,} lines name a file that another line names, with the same label"] = None
    splits = {} if "all" in parts else {name: cast(Split, lines[name][0][2]) for name in files}
    return Listing(files, splits, aside, tuple(remarks))


def _named_files(parts: dict[str, list[Path]], columns: Columns) -> Iterator[tuple[str, Row | Bad, str, Path]]:
    """The split, the row and the place of each line of some tables, and the folder that its file is below."""
    for split, tables in parts.items():
        for table in tables:
            if kind_of_table(table, columns) == "text":
                raise DataError(f"{table}: expected a table that names files, got texts. Train with data=own_texts.")
            for row in rows(table, columns):
                yield split, row, row.where if isinstance(row, Bad) else f"{table.name}:{row.line}", table.parent


def beside(path: Path) -> Path:
    """The folder that a table's files are below."""
    return path if path.is_dir() else path.parent


def _below(folder: Path, where: str, name: str, root: Path) -> str:
    """A file beside a table by its name below `root`, in one spelling: `./cat/0.png` and `cat\\0.png` are `cat/0.png`.

    Raises: DataError for a file that is not below the table's folder.
    """
    slashed = name if "\\" not in name or (folder / name).exists() else name.replace("\\", "/")
    if slashed.startswith("/") or re.match(r"[A-Za-z]:", slashed) or ".." in slashed.split("/"):
        raise DataError(f"{folder / where}: expected a file below {folder}, got {name}. Move it there.")
    return posixpath.normpath((folder.relative_to(root) / slashed).as_posix())
