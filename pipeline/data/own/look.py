"""A look at a path before training: what kind of data it holds, its classes, and the command that trains on it."""

import os
import re
import shlex
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipeline.data.archive import scan
from pipeline.data.images.decode import SUFFIXES
from pipeline.data.images.idx_images import IdxImages, classes_of, idx_pairs, shape_of
from pipeline.data.images.image_folder import ImageFolder
from pipeline.data.own.found import Found
from pipeline.data.own.tables import Columns, kind_of_table, table_format, table_parts
from pipeline.data.own.text_source import TextSource
from pipeline.data.texts.own_texts import OwnTexts
from pipeline.errors import DataError, PipelineError

Kind = Literal["images", "texts", "idx"]
COMMANDS = {"images": ("cnn", "image_folder"), "texts": ("tfidf", "own_texts"), "idx": ("cnn", "idx_images")}
READ = (
    "class folders of images or .txt files (also as zip or tar), CSV, TSV, JSON Lines and Parquet tables, and IDX files"
)


def kind_of(path: Path, columns: Columns = Columns()) -> Kind:  # noqa: B008  frozen
    """Whether a path holds images, texts or IDX files.

    Raises: DataError for a path that does not exist, or holds nothing that can be read.
    """
    if not path.exists():
        raise DataError(f"{path}: expected a folder, a tar or zip archive or a CSV file, got nothing. Check the path.")
    if path.is_dir() and idx_pairs(path):
        return "idx"
    if parts := table_parts(path):
        return "images" if kind_of_table(next(iter(parts.values()))[0], columns) == "file" else "texts"
    try:
        suffixes = Counter(os.path.splitext(name)[1].lower() for name, label in scan(path).files.items() if label)  # noqa: PTH122
    except DataError as error:
        raise _unknown(path, error) from error
    return "texts" if suffixes[".txt"] > sum(suffixes[suffix] for suffix in SUFFIXES) else "images"


def _unknown(path: Path, error: DataError) -> DataError:
    """The error about a file, with what can be read; the error itself about a folder."""
    if path.is_file():
        return DataError(f"{error} Read are {READ}.")
    return error


def classes(path: Path, columns: Columns = Columns()) -> tuple[str, ...]:  # noqa: B008  frozen
    """The names of the classes, counted from the files.

    Raises: DataError for data that can't be read.
    """
    path = path.expanduser()
    return _classes(path, columns, _signature(path))


@lru_cache(maxsize=8)  # a command composes its configuration several times
def _classes(path: Path, columns: Columns, _: object) -> tuple[str, ...]:
    if path.is_dir() and idx_pairs(path):
        return classes_of(path)
    # Class folders and archives are listed once, whether they hold images or texts.
    in_table = bool(table_parts(path)) and kind_of(path, columns) == "texts"
    return TextSource(path, columns).classes() if in_table else scan(path, columns).classes


def _signature(path: Path) -> tuple[object, ...]:
    """Sizes and times of a table; of a folder, something that is never equal."""
    files = [file for group in table_parts(path).values() for file in group]
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files) or (object(),)


def look(path: Path, columns: Columns, *, root: Path | None, cache: Path) -> Found:
    """Read all of a user's data as training does, in the splits of the default configuration.

    Raises: DataError or ConfigError if it can't be trained on.
    """
    kind, number = kind_of(path, columns), len(classes(path, columns))
    folder, where = cache.parent / "data", str(path.absolute())
    module: ImageFolder | OwnTexts | IdxImages
    if kind == "idx":
        module = IdxImages("idx_images", where, shape_of(path), number, 128, 0.1, folder=folder)
    elif kind == "texts":
        module = OwnTexts(
            "own_texts",
            where,
            number,
            vocabulary_size=20_000,
            max_tokens=300,
            truncation_side="left",
            dropped_words=0,
            batch_size=32,
            val_size=0.1,
            test_size=0.2,
            text_column=columns.text,
            label_column=columns.label,
            folder=folder,
        )
    else:
        module = ImageFolder("image_folder", where, (3, 64, 64), number, batch_size=32, folds=5, fold=0, folder=folder)
    return replace(module.found(), format=format_of(path, kind), command=command(path, kind, columns, root))


def failed(path: Path, columns: Columns, error: PipelineError) -> Found:
    """The known facts about data that can't be trained on."""
    try:
        kind = kind_of(path, columns)
        form = format_of(path, kind)
        aside = TextSource(path, columns).set_aside() if kind == "texts" else {}
    except PipelineError:
        form, aside = _unread(path), {}
    return Found({}, {}, aside, (str(error),), form, error=str(error))


def _unread(path: Path) -> str:
    """The format of data whose content can't be read, as far as its name says."""
    return f"{table_format(path)} table" if table_format(path) else "folder" if path.is_dir() else "unknown"


def format_of(path: Path, kind: Kind) -> str:
    """The format in words: `folder of images`, `CSV table of texts`, …"""
    if kind == "idx":
        return "IDX images"
    if parts := table_parts(path):
        return f"{table_format(next(iter(parts.values()))[0])} table of {kind}"
    return f"{'folder' if path.is_dir() else 'archive'} of {kind}"


def command(path: Path, kind: Kind, columns: Columns, root: Path | None) -> str:
    """The command that trains on it, from any folder of the project."""
    inside = path.absolute()
    shown = str(inside.relative_to(root) if root and inside.is_relative_to(root) else inside)
    model, data = COMMANDS[kind]
    chosen = {"path": shown, "text_column": columns.text, "label_column": columns.label}
    keys = [f"data.{key}={_quoted(value)}" for key, value in chosen.items() if value]
    return shlex.join(["pipeline", "train", f"model={model}", f"data={data}", *keys])


def _quoted(value: str) -> str:
    """A value as Hydra reads it: in quotes where it holds other characters than those of plain paths."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return value if re.fullmatch(r"[A-Za-z_/.][\w/.-]*", value, re.ASCII) else f'"{escaped}"'
