"""One picture file of any kind into an array of one shape; and a fingerprint that near-duplicates share.

Source of the fingerprint (dHash): Krawetz 2013, hackerfactor.com/blog/?/archives/529-Kind-of-Like-That.html.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.data.images.idx import Bytes

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
PIXELS = 64_000_000  # of the largest picture that is decoded; a decompression bomb claims more
SIDE = 16  # of the fingerprint: 16 x 16 comparisons of neighbours


class ImageDecodeError(Exception):
    """A file that can't be learned from, and why in a few words."""


def decode(content: bytes, name: str, in_shape: Sequence[int]) -> tuple[Bytes, Bytes]:
    """A JPEG or PNG as (C, H, W), and the bits of its fingerprint: (2, 256), of the picture and of its mirror image.

    The picture is turned upright as its EXIF says, laid on white where it is transparent, made grey for C = 1 or RGB
    for C = 3, scaled until it just covers H x W, and cut to that around its centre.

    Raises: ImageDecodeError for what is no whole JPEG or PNG of a bearable size under a name that says so.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which are measured below, and of odd metadata
            picture: Image.Image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
            # A camera's JPEG may hold a second picture: Pillow calls that MPO.
            kind = "PNG" if picture.format == "PNG" else "JPEG"
            if FORMATS.get(PurePath(name).suffix.lower()) != kind:
                raise ImageDecodeError(f"is a {kind}, its name says otherwise")
            if picture.width * picture.height > PIXELS:
                raise ImageDecodeError(f"is enormous: {picture.width:,} x {picture.height:,} pixels")
            picture.load()
            picture = _plain(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:
        raise ImageDecodeError("is empty" if not content else "is neither a JPEG nor a PNG") from error
    except Image.DecompressionBombError as error:
        raise ImageDecodeError("is enormous") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise ImageDecodeError(f"is broken ({error})") from error
    channels, height, width = in_shape
    fitted = ImageOps.fit(picture.convert("L" if channels == 1 else "RGB"), (width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.atleast_3d(np.asarray(fitted)).transpose(2, 0, 1)), _fingerprint(picture)


def _plain(picture: Image.Image) -> Image.Image:
    """The picture as 8-bit grey or RGB, on white where it is transparent."""
    if picture.mode.startswith(("I", "F")):  # Pillow would cut 16 bits off at 255 instead of scaling them
        return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _fingerprint(picture: Image.Image) -> Bytes:
    """Whether each place of a coarse grey version is brighter than its left neighbour."""
    coarse = np.asarray(picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS)).astype(int)
    both = np.stack([coarse, coarse[:, ::-1]])
    bits: Bytes = (both[:, :, 1:] > both[:, :, :-1]).reshape(2, -1).astype(np.uint8)
    return bits
