"""Inputs of a prediction: files, folders, standard input and literal texts as a stream of chunks in a fixed order.

A chunk names up to 256 inputs and is small enough to be sent to another machine, which reads them (`reading.read`).
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from pipeline.errors import DataError
from pipeline.inference.reading import ReadableType, is_idx, read_idx_images

CHUNK_SIZE = 256  # inputs
IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
JSON_LINES = ".jsonl"
TEXT_SUFFIXES = {".txt", JSON_LINES}
STDIN = "-"


@dataclass(frozen=True, slots=True)
class InputChunk:
    """Consecutive inputs: literal texts, files of one input each, or a range of a file with many inputs."""

    kind: Literal["texts", "files", "range"]
    items: tuple[str, ...]  # the texts; the paths; the path of the one file
    first: int = 0  # number of the first input in its file or stream
    offset: int = 0  # of a range in a JSON Lines file: the byte where it starts
    count: int = 0  # inputs in a range
    source: str = ""  # the stream that texts come from; empty for arguments

    @property
    def size(self) -> int:
        """The number of inputs."""
        return self.count if self.kind == "range" else len(self.items)

    @property
    def names(self) -> list[str]:
        """The name of each input in the output."""
        if self.kind == "range":
            form = "{}:{}" if self.items[0].lower().endswith(JSON_LINES) else "{}[{}]"
            return [form.format(self.items[0], self.first + index) for index in range(self.count)]
        if self.source:
            return [f"{self.source}:{self.first + index}" for index in range(len(self.items))]
        return list(self.items)


def check_arguments(arguments: Sequence[str], input_type: ReadableType) -> None:
    """Raise a DataError at once for an argument that names a missing file.

    For image models every argument is a path; for others an argument whose suffix is .txt, .jsonl or an image's is.
    """
    for name in arguments:
        suffix = Path(name).suffix.lower()
        is_path = input_type == "images" or (" " not in name and suffix in TEXT_SUFFIXES | IMAGE_SUFFIXES)
        if name == STDIN or not is_path or _exists(name):
            continue
        literal = "" if input_type == "images" else " To predict this very text, pass it on standard input: `-`."
        raise DataError(f"{name}: no such file or folder. Check the path.{literal}")


def chunks(
    arguments: Sequence[str], input_type: ReadableType, stdin: Iterable[str | bytes] | None = None
) -> Iterator[InputChunk]:
    """All inputs that the arguments name, in order; `-` stands for the lines of `stdin`, a folder for its files.

    A line of `stdin` is a path for image models and the text or point itself for others.

    Raises: DataError for a folder, file or stream without inputs.
    """
    for name in arguments:
        if name == STDIN:
            yield from _stdin_chunks(stdin if stdin is not None else sys.stdin.buffer, input_type)
        elif input_type == "images" or _exists(name):
            yield from _path_chunks(Path(name), input_type)
        else:
            yield InputChunk("texts", (name,))


def _exists(name: str) -> bool:
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):  # a text that is too long for a path, or holds a NUL
        return False


def _stdin_chunks(stdin: Iterable[str | bytes], input_type: ReadableType) -> Iterator[InputChunk]:
    """Chunks of lines; bytes that are not UTF-8 become surrogates, which `reading.read` refuses in their line."""
    lines = (
        (line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")).rstrip("\r\n") for line in stdin
    )
    first = 1
    for batch in _batched(lines):
        if input_type == "images":
            yield InputChunk("files", batch)
        else:
            yield InputChunk("texts", batch, first, source="stdin")
        first += len(batch)
    if first == 1:
        raise DataError(
            f"standard input: is empty. Expected {'a path' if input_type == 'images' else 'an input'} a line."
        )


def _batched(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    iterator = iter(names)
    while batch := tuple(islice(iterator, CHUNK_SIZE)):
        yield batch


def _path_chunks(path: Path, input_type: ReadableType) -> Iterator[InputChunk]:
    if path.is_dir():
        yield from _folder_chunks(path, input_type)
    elif path.suffix.lower() == JSON_LINES and input_type != "images":
        yield from _json_lines_chunks(path)
    elif input_type == "images" and is_idx(path):
        count = len(read_idx_images(str(path)))
        for first in range(0, count, CHUNK_SIZE):
            yield InputChunk("range", (str(path),), first, count=min(CHUNK_SIZE, count - first))
    else:
        yield InputChunk("files", (str(path),))


def _folder_chunks(folder: Path, input_type: ReadableType) -> Iterator[InputChunk]:
    suffixes = IMAGE_SUFFIXES if input_type == "images" else TEXT_SUFFIXES
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not files:
        raise DataError(f"{folder}: no input in this folder. Expected files that end in {', '.join(sorted(suffixes))}.")
    for batch in _batched(str(file) for file in files if file.suffix.lower() != JSON_LINES):
        yield InputChunk("files", batch)
    for file in files:
        if file.suffix.lower() == JSON_LINES:
            yield from _json_lines_chunks(file)


def _json_lines_chunks(path: Path) -> Iterator[InputChunk]:
    """Ranges of a JSON Lines file; only "\\n" ends a line."""
    try:
        with path.open("rb") as file:
            first, offset = 1, 0
            while True:
                count, end = 0, offset
                while count < CHUNK_SIZE and (line := file.readline()):
                    count, end = count + 1, end + len(line)
                if not count:
                    break
                yield InputChunk("range", (str(path),), first, offset, count)
                first, offset = first + count, end
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}). Check its permissions.") from error
    if first == 1:
        raise DataError(f'{path}: is empty. Expected a line {{"text": …}} for each input.')
