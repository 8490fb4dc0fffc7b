"""Reading the inputs of a prediction: images, points and texts from files, lines and arguments.

An input that can't be read becomes a DataError in its place, so that it does not affect the others.
"""

import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from pipeline.data.images.digits import SIDE, centred
from pipeline.data.images.idx import read_idx, read_images
from pipeline.data.jsonl import LINE_BYTES
from pipeline.errors import DataError
from pipeline.types import RawInput

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.inference.inputs import InputChunk

IDX_MAGIC = (b"\x00\x00\x08\x03", b"\x1f\x8b")  # three dimensions of bytes; the same in gzip
HEAD_BYTES = 4096  # of a file, from which its type is described
IMAGE_FORMATS = "an image (PNG, JPEG, GIF, BMP, TIFF, WebP) or an IDX file of images"
ReadableType = Literal["images", "points", "texts", "sentences"]
ImageReader = Callable[[Path], "Tensor"]
# An input's name with its array or text, or with the DataError that prevented reading it.
NamedInput: TypeAlias = "tuple[str, RawInput | DataError]"


def read(
    chunk: "InputChunk",
    input_type: ReadableType,
    in_shape: Sequence[int] | None,
    digits: bool,
    image_reader: ImageReader | None = None,
) -> Iterator[NamedInput]:
    """Each input of a chunk; with `digits`, images of another size are centred and scaled as MNIST's were.

    `image_reader` reads a file as a data set of image folders did in training: (1, C, H, W) in [0, 1].
    """
    if chunk.kind == "range":
        rows = _idx_rows(chunk, in_shape) if input_type == "images" else _json_rows(chunk)
        yield from zip(chunk.names, rows, strict=True)
        return
    for name, item in zip(chunk.names, chunk.items, strict=True):
        try:
            if input_type == "images":
                yield name, _image(Path(item), in_shape, digits, image_reader)
            else:
                text = _text_file(Path(item)) if chunk.kind == "files" else _text(item, name)
                yield name, _point(text, in_shape) if input_type == "points" else text
        except DataError as error:
            yield name, error


def image_suffix(content: bytes, max_pixels: int) -> str:
    """The file suffix of a PNG or JPEG, from its header alone.

    Raises: DataError if the content is neither, or has more than `max_pixels` pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, whose size is checked below
            image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except Exception as error:  # Pillow raises many classes on damaged images
        raise DataError("Expected a PNG or JPEG, got something else or a broken one.") from error
    if image.width * image.height > max_pixels:
        raise DataError(f"Expected at most {max_pixels:,} pixels, got {image.width:,} x {image.height:,}.")
    return ".png" if image.format == "PNG" else ".jpg"


def is_idx(path: Path) -> bool:
    """Whether a file starts as an IDX file of images does."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4).startswith(IDX_MAGIC)
    except OSError:
        return False


@lru_cache(maxsize=1)  # the chunks of a file follow each other
def read_idx_images(path: str) -> "np.ndarray":
    """(N, H, W) uint8 images of an IDX file.

    Raises: DataError if the file is damaged or holds no images.
    """
    try:
        images = read_idx(Path(path))
    except DataError as error:
        found = str(error).partition(". Run ")[0]
        raise DataError(f"{found}. The file is damaged or not an IDX file: make it again.") from error
    if images.ndim != 3 or not len(images):
        raise DataError(
            f"{path}: expected images (N, H, W), got an array of shape {images.shape}. Choose another file."
        )
    return images


def describe(path: Path) -> str:
    """The type of a file, guessed from its first 4 KiB, for error messages."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        return f"a file that can't be read ({error.strerror})"
    if not head:
        return "an empty file"
    if b"\0" not in head and _is_utf8(head):
        return "a text file"
    return f"a binary file of unknown type (its first bytes are {head[:4].hex(' ')})"


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start >= HEAD_BYTES - 3  # a character that was cut off
    return True


def _image(
    path: Path, in_shape: Sequence[int] | None, digits: bool, image_reader: ImageReader | None
) -> "np.ndarray | Tensor":
    from PIL import Image, UnidentifiedImageError

    assert in_shape is not None
    size = (SIDE, SIDE)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise OSError("a pipe, device or folder")
        with Image.open(path) as image:
            size = image.size
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Check the path.") from error
    except UnidentifiedImageError:
        if not is_idx(path):
            raise DataError(f"{path}: expected {IMAGE_FORMATS}, got {describe(path)}.") from None
    except Exception as error:  # Pillow raises many classes on damaged images
        raise DataError(f"{path}: expected {IMAGE_FORMATS}, got one that can't be read ({error}).") from error
    if image_reader:
        return image_reader(path)[0]
    if digits and size != (SIDE, SIDE):
        (grey,) = read_images(path, size[1], size[0])
        return centred(grey)
    pixels: np.ndarray = read_images(path, *in_shape[1:])[0]
    return pixels


def _idx_rows(chunk: "InputChunk", in_shape: Sequence[int] | None) -> "Iterator[np.ndarray]":
    path = chunk.items[0]
    images = np.asarray(read_idx_images(path)[chunk.first : chunk.first + chunk.count])  # rows of a memmap cost more
    if in_shape is None or images.shape[1:] != tuple(in_shape[1:]):
        expected = "x".join(map(str, (in_shape or ())[1:]))
        found = "x".join(map(str, images.shape[1:]))
        raise DataError(
            f"{path}: expected images of {expected}, got {found}. Give PNG or JPEG files, which are scaled."
        )
    yield from images


def _json_rows(chunk: "InputChunk") -> Iterator[str | DataError]:
    """The text of each line: a JSON string, or an object's `text`."""
    with Path(chunk.items[0]).open("rb") as file:
        file.seek(chunk.offset)
        for name in chunk.names:
            line = file.readline()
            try:
                row = json.loads(line) if len(line) <= LINE_BYTES else None
                text = row.get("text") if isinstance(row, dict) else row
                yield (
                    _text(text, name)
                    if isinstance(text, str)
                    else DataError(
                        f'{name}: expected a JSON string or an object with a "text" of at most {LINE_BYTES:,} bytes.'
                    )
                )
            except (ValueError, RecursionError):
                yield DataError(f'{name}: expected a line of JSON in UTF-8: a string or an object with a "text".')
            except DataError as error:
                yield error


def _text_file(path: Path) -> str:
    try:
        if path.stat().st_size > LINE_BYTES:
            raise DataError(f"{path}: expected a text of at most {LINE_BYTES:,} bytes, got {path.stat().st_size:,}.")
        return _text(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}). Check the path and its permissions.") from error


def _text(text: str, name: str) -> str:
    """The text itself.

    Raises: DataError if it holds bytes that are not UTF-8 (decoded as surrogates), or a NUL as binary data does.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{name}: expected text in UTF-8, got other bytes after {error.start:,} characters.") from error
    if "\0" in text:
        raise DataError(f"{name}: expected text, got binary data (a NUL after {text.index(chr(0)):,} characters).")
    return text


def _point(text: str, in_shape: Sequence[int] | None) -> list[float]:
    try:
        point = [float(number) for number in text.strip().strip("[]()").split(",")]
    except ValueError:
        point = []
    if in_shape is None or len(point) != in_shape[0] or not all(abs(number) <= 1e6 for number in point):
        raise DataError(f"{text[:50]!r}: expected {in_shape and in_shape[0]} numbers with commas between, such as 0,1.")
    return point
