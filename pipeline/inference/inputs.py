"""What a model is asked about: files, folders and lines as a stream of inputs, each with a name, in a fixed order.

The stream is cut into chunks, small enough to be sent anywhere and read there; one that can't be read is told, and
spoils no other.
"""

import io
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.data.images.digits import SIDE, centred
from pipeline.data.images.idx import read_idx, read_images
from pipeline.data.jsonl import LINE_BYTES
from pipeline.errors import DataError

COUNT = 256  # inputs in a chunk
IDX_MAGIC = (b"\x00\x00\x08\x03", b"\x1f\x8b")  # three dimensions of bytes; the same in gzip
PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
TEXTS = {".txt", ".jsonl"}
LINES = ".jsonl"
STDIN = "-"
Content = Literal["images", "points", "texts", "sentences"]
Picture = Callable[[Path], Any]
Read = tuple[str, Any]  # an input's name, and what it holds: an array, a text, or the DataError that says why not


@dataclass(frozen=True, slots=True)
class InputChunk:
    """Some inputs in a row: texts as they are, files of one input each, or a stretch of a file of many."""

    kind: Literal["text", "file", "stretch"]
    given: tuple[str, ...]  # the texts; the files; the one file
    first: int = 0  # the number of the first input in its file
    start: int = 0  # the byte where it begins in a file of lines
    count: int = 0  # of a stretch
    source: str = ""  # of texts without a name

    @property
    def names(self) -> list[str]:
        """What each input is called in the answers."""
        if self.kind == "stretch":
            form = "{}:{}" if self.given[0].endswith(LINES) else "{}[{}]"
            return [form.format(self.given[0], self.first + place) for place in range(self.count)]
        if self.source:
            return [f"{self.source}:{self.first + place}" for place in range(len(self.given))]
        return list(self.given)


def chunks(given: Sequence[str], content: Content, stdin: Iterable[str] | None = None) -> Iterator[InputChunk]:
    """Everything that was named, in order: `-` is what comes in line by line, a folder all that it holds.

    For a net that sees a line of input names a file, for others it is the text (or point) itself.

    Raises: DataError for a folder or a file without inputs, or a name that is no file where a file is needed.
    """
    for name in given:
        if name == STDIN:
            yield from _lines(stdin if stdin is not None else sys.stdin, content)
        elif content == "images" or (0 < len(name) < 256 and Path(name).exists()):
            yield from _path(Path(name), content)
        else:
            yield InputChunk("text", (name,))


def read(
    chunk: InputChunk, content: Content, in_shape: Sequence[int] | None, digits: bool, picture: Picture | None = None
) -> Iterator[Read]:
    """Each input of a chunk; a picture of another size than a net of MNIST's `digits` sees is made like one of them.

    `picture` reads a file as the training of a net that has its own way did: an array (C, H, W) of the net's input.
    """
    if chunk.kind == "stretch":
        found = _images(chunk, in_shape) if content == "images" else _rows(chunk)
        yield from zip(chunk.names, found, strict=True)
        return
    for name, one in zip(chunk.names, chunk.given, strict=True):
        try:
            if picture and content == "images":
                yield name, picture(Path(one))[0]
            else:
                yield name, _one(one, chunk.kind, content, in_shape, digits)
        except DataError as error:
            yield name, error


def suffix(content: bytes, most: int) -> str:
    """What the name of a PNG or JPEG of these bytes ends in; only its first bytes are looked at.

    Raises: DataError if it is neither, or has more than `most` pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which are measured below
            picture = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError("Expected a PNG or JPEG, got something else or a broken one.") from error
    if picture.width * picture.height > most:
        raise DataError(f"Expected at most {most:,} pixels, got {picture.width:,} x {picture.height:,}.")
    return ".png" if picture.format == "PNG" else ".jpg"


def _lines(stdin: Iterable[str], content: Content) -> Iterator[InputChunk]:
    first, lines = 1, (line.rstrip("\n") for line in stdin)
    for some in _some(lines):
        if content == "images":
            yield InputChunk("file", some)
        else:
            yield InputChunk("text", some, first, source="stdin")
        first += len(some)


def _some(all_: Iterable[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(all_)
    while some := tuple(islice(rest, COUNT)):
        yield some


def _path(path: Path, content: Content) -> Iterator[InputChunk]:
    if path.is_dir():
        wanted = PICTURES if content == "images" else TEXTS
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in wanted and file.is_file())
        if not found:
            raise DataError(f"{path}: no input in this folder. Expected files that end in {', '.join(sorted(wanted))}.")
        singles = [str(file) for file in found if file.suffix != LINES]
        yield from (InputChunk("file", some) for some in _some(singles))
        for file in found:
            if file.suffix == LINES:
                yield from _stretches(file)
    elif path.suffix == LINES and content != "images":
        yield from _stretches(path)
    elif content == "images" and _is_idx(path):
        count = len(_idx(str(path)))
        for first in range(0, count, COUNT):
            yield InputChunk("stretch", (str(path),), first, count=min(COUNT, count - first))
        if not count:
            raise DataError(f"{path}: holds no image.")
    else:
        yield InputChunk("file", (str(path),))


def _stretches(path: Path) -> Iterator[InputChunk]:
    """A file of lines, cut between lines; only "\\n" ends a line."""
    try:
        with path.open("rb") as file:
            first, start = 1, 0
            while True:
                count, place = 0, start
                while count < COUNT and (line := file.readline()):
                    count, place = count + 1, place + len(line)
                if not count:
                    break
                yield InputChunk("stretch", (str(path),), first, start, count)
                first, start = first + count, place
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}).") from error
    if first == 1:
        raise DataError(f'{path}: is empty. Expected a line {{"text": …}} for each input.')


def _rows(chunk: InputChunk) -> Iterator[str | DataError]:
    """The text of each line: a JSON string, or an object's `text`."""
    with Path(chunk.given[0]).open("rb") as file:
        file.seek(chunk.start)
        for name in chunk.names:
            line = file.readline()
            try:
                row = json.loads(line) if len(line) <= LINE_BYTES else None
                text = row.get("text") if isinstance(row, dict) else row
            except (ValueError, RecursionError):
                text = None
            yield (
                text
                if isinstance(text, str)
                else DataError(
                    f'{name}: expected a JSON string or an object with a "text" of at most {LINE_BYTES:,} bytes.'
                )
            )


def _images(chunk: InputChunk, in_shape: Sequence[int] | None) -> Iterator[Any]:
    images = _idx(chunk.given[0])[chunk.first : chunk.first + chunk.count]
    if in_shape is None or images.shape[1:] != tuple(in_shape[1:]):
        wanted = "x".join(map(str, (in_shape or ())[1:]))
        found = "x".join(map(str, images.shape[1:]))
        raise DataError(f"{chunk.given[0]}: expected images of {wanted}, got {found}. Give pictures, which are scaled.")
    yield from images


def _one(one: str, kind: str, content: Content, in_shape: Sequence[int] | None, digits: bool) -> Any:
    if content == "images":
        assert in_shape is not None
        return _picture(Path(one), in_shape, digits)
    text = _text(Path(one)) if kind == "file" else one
    if content == "points":
        return _point(text, in_shape)
    return text


def _picture(path: Path, in_shape: Sequence[int], digits: bool) -> Any:
    from PIL import Image, UnidentifiedImageError

    if digits:
        try:
            with Image.open(path) as picture:
                size = picture.size
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError, SyntaxError, ValueError):
            size = (SIDE, SIDE)  # `read_images` says what is wrong
        if size != (SIDE, SIDE):
            (grey,) = read_images(path, size[1], size[0])
            return centred(grey)
    return read_images(path, *in_shape[1:])[0]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LINE_BYTES:
            raise DataError(f"{path}: expected a text of at most {LINE_BYTES:,} bytes.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a text in UTF-8, got {type(error).__name__} ({error}).") from error


def _point(text: str, in_shape: Sequence[int] | None) -> list[float]:
    try:
        point = [float(number) for number in text.strip().strip("[]()").split(",")]
    except ValueError:
        point = []
    if in_shape is None or len(point) != in_shape[0] or not all(abs(number) <= 1e6 for number in point):
        raise DataError(f"{text[:50]!r}: expected {in_shape and in_shape[0]} numbers with commas between, such as 0,1.")
    return point


def _is_idx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(IDX_MAGIC)
    except OSError:
        return False


@lru_cache(maxsize=1)
def _idx(path: str) -> Any:
    """The images of a file, kept for its other chunks."""
    images = read_idx(Path(path))
    if images.ndim != 3:
        raise DataError(f"{path}: expected images, got an array of shape {images.shape}.")
    return images
