"""Decode an image file to an array of a given shape, and its difference hash, by which near-duplicates are found.

Source of the difference hash (dHash): Krawetz 2013, hackerfactor.com/blog/?/archives/529-Kind-of-Like-That.html.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.data.images.idx import Bytes, on_white

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF"}
SUFFIXES |= {".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
READ = "JPEG, PNG, WebP, GIF, BMP and TIFF are read"
PIXELS = 64_000_000  # limit of a decoded image, against decompression bombs
SIDE = 16  # of the hash: 16 x 16 steps from a pixel to the next
TURNS = {  # by the orientation in EXIF data
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageDecodeError(Exception):
    """A file that can't be decoded, with the reason."""


def image_kind(content: bytes) -> str | None:
    """The format of an image by its first bytes; None for another file."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), None)


def is_misnamed(content: bytes, name: str) -> bool:
    """Whether an image has the suffix of another format, or none of an image."""
    return image_kind(content) != SUFFIXES.get(PurePath(name).suffix.lower())


def decode(content: bytes, name: str, in_shape: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Decode an image to (C, H, W), with its difference hash (2, 32): 256 bits each of brighter and of darker steps.

    The image is rotated by its EXIF orientation, composed on white where it is transparent, converted to grey for C = 1
    or RGB for C = 3, and scaled and cropped around its centre to H x W. Its format is known by its content; of several
    frames the first is read.

    Raises: ImageDecodeError unless the content is a whole image of at most 64 megapixels in one of `FORMATS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images, which are checked below, and unusual metadata
            picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
            if picture.width * picture.height > PIXELS:
                raise ImageDecodeError(f"is enormous: {picture.width:,} x {picture.height:,} pixels")
            picture.load()
            picture = _plain(_upright(picture))
    except UnidentifiedImageError as error:
        raise ImageDecodeError("is empty" if not content else f"is not an image ({READ})") from error
    except Image.DecompressionBombError as error:
        raise ImageDecodeError("is enormous") from error
    except ImageDecodeError:
        raise
    except Exception as error:  # Pillow raises many classes on damaged images
        raise ImageDecodeError(f"is broken ({error})") from error
    channels, height, width = in_shape
    fitted = ImageOps.fit(picture.convert("L" if channels == 1 else "RGB"), (width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.atleast_3d(np.asarray(fitted)).transpose(2, 0, 1)), _difference_hash(picture)


def _upright(picture: Image.Image) -> Image.Image:
    """Rotate by the EXIF orientation; a picture whose EXIF data can't be read is left as it is.

    Unlike `ImageOps.exif_transpose` it does not write the EXIF data again, which fails where any tag has an odd type.
    """
    try:
        turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow raises many classes on damaged EXIF data, none of which concerns the pixels
        return picture
    return picture if turn is None else picture.transpose(turn)


def _plain(picture: Image.Image) -> Image.Image:
    """Convert to 8-bit grey or RGB, composed on white where it is transparent."""
    if picture.mode.startswith(("I", "F")):  # Pillow would cut 16 bits off at 255 instead of scaling them
        return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))
    picture = on_white(picture)
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _difference_hash(picture: Image.Image) -> Bytes:
    """Difference hash: whether each pixel of a coarse grey version is brighter or darker than its left neighbour."""
    coarse = np.asarray(picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS)).astype(int)
    step = np.diff(coarse).reshape(-1)
    return np.packbits([step > 0, step < 0], axis=-1)
