"""Texts that users bring: class folders of `.txt` files (also archived), or tables, as a stream of labelled texts."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from pipeline.data.archive import contents, scan
from pipeline.data.own.encoding import decoded
from pipeline.data.own.layout import plain, split_of
from pipeline.data.own.named_files import Listing
from pipeline.data.own.tables import Bad, Columns, Row, kind_of_table, rows, table_parts
from pipeline.errors import DataError
from pipeline.files import sha256

READING = 3  # version of how texts are read, part of the cache's key


class TextSource:
    """The parts (`all`, or splits that the data brings) of a folder, archive or table of texts."""

    def __init__(self, path: Path, columns: Columns):
        self.path, self.columns = path, columns

    @cached_property
    def tables(self) -> dict[str, list[Path]]:
        return table_parts(self.path)

    @cached_property
    def listing(self) -> Listing:
        """Raises: DataError for a path without files of two classes."""
        return scan(self.path)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts in a fixed order, train first."""
        found: set[str] = set(self.tables or self.listing.splits.values())
        return tuple(part for part in ("train", "val", "test") if part in found) or ("all",)

    def rows(self, part: str) -> Iterator[Row | Bad]:
        """The texts of a part in a fixed order, and those that are set aside.

        Raises: DataError for a table that can't be read.
        """
        yield from (row for _, row in self.named_rows(part))

    def named_rows(self, part: str) -> Iterator[tuple[str, Row | Bad]]:
        """`rows`, each with its place: the file, or TABLE:LINE.

        Raises: DataError for a table that can't be read.
        """
        if not self.tables:
            yield from self._files(part)
            return
        for table in self.tables[part]:
            if kind_of_table(table, self.columns) == "file":
                raise DataError(f"{table}: expected texts, got a table that names files. Train with data=image_folder.")
            for row in rows(table, self.columns):
                yield f"{table.name}:{row.line}" if isinstance(row, Row) else row.where, row

    def set_aside(self) -> dict[str, str]:
        """Texts that are not read, and why."""
        aside = {} if self.tables else dict(self.listing.set_aside)
        return aside | self._notes[0]

    def remarks(self) -> tuple[str, ...]:
        """Remarks on how labels and folders were read."""
        first = self._others() if self.tables else self.listing.remarks
        return first + tuple(self._notes[1])

    def _others(self) -> tuple[str, ...]:
        """A remark if tables of other splits lie beside a single table."""
        if (
            self.path.is_dir()
            or not split_of(self.path.name.partition(".")[0])
            or len(table_parts(self.path.parent)) < 2
        ):
            return ()
        return ("splits      tables of other splits lie beside it and are not read: give the folder",)

    @cached_property
    def _notes(self) -> tuple[dict[str, str], dict[str, None]]:
        """The texts that are set aside, and remarks on labels, found by reading all texts once."""
        aside: dict[str, str] = {}
        remarks: dict[str, None] = {}
        for part in self.parts:
            for row in self.rows(part):
                if isinstance(row, Bad):
                    aside[row.where] = row.why
                elif row.remark:
                    remarks[row.remark] = None
        return aside, remarks

    def folders(self) -> set[str]:
        """The classes that have a folder; empty for tables."""
        return set() if self.tables else set(self.listing.classes)

    def classes(self) -> tuple[str, ...]:
        """The classes in alphabetic order."""
        if not self.tables:
            return self.listing.classes
        return tuple(sorted({row.label for part in self.parts for row in self.rows(part) if isinstance(row, Row)}))

    def digest(self, part: str) -> str:
        """Identity of the bytes and settings that `rows` reads."""
        digest = hashlib.sha256(f"{READING} {part} {self.columns}\n".encode())
        for file in self._sources(part):
            inside = file.relative_to(self.path) if file != self.path else ""
            try:
                # A broken link, pipe or device is not opened, and set aside in reading.
                first = f"{sha256(file)} {file.suffix}" if file.is_file() else "missing"
                digest.update(f"{first} {inside}\n".encode())
            except OSError as error:
                raise DataError(f"{file}: can't be read ({error.strerror}). Give data.path.") from error
        return digest.hexdigest()

    def _sources(self, part: str) -> list[Path]:
        if self.tables:
            return self.tables[part]
        return [self.path / name for name in self._names(part)] if self.path.is_dir() else [self.path]

    def _names(self, part: str) -> list[str]:
        """Files of a part, sorted by folder first."""
        files, splits = self.listing.files, self.listing.splits
        return sorted((name for name in files if splits.get(name, "all") == part), key=lambda name: name.split("/"))

    def _files(self, part: str) -> Iterator[tuple[str, Row | Bad]]:
        names = self._names(part)
        texts = [name for name in names if name.lower().endswith(".txt") and self.listing.files[name]]
        for name in sorted({*names} - {*texts}):
            yield name, Bad(name, "is in no class folder" if not self.listing.files[name] else "is not a .txt file")
        if self.path.is_dir():  # in the order of the names, one file in memory
            for name in texts:
                for each, content in contents(self.path, {name}):
                    yield each, self._text(each, content)
        else:
            for name, content in contents(self.path, set(texts)):
                yield name, self._text(name, content)

    def _text(self, name: str, content: bytes | str) -> Row | Bad:
        if isinstance(content, str):
            return Bad(name, content)
        try:
            text = decoded(content, name)
        except DataError as error:
            return Bad(name, str(error))
        label = self.listing.files[name]
        return Row(0, text, plain(label or "")[0]) if text.strip() else Bad(name, "is empty")
