"""Pictures of every kind become the same array; what is none is told apart."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.data.images.decode import ImageDecodeError, decode, is_misnamed
from tests.conftest import damaged_tiff

SHAPE = (3, 8, 8)
# The left half red, the right half blue: mode, compression and orientation must not change that.
RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(size: tuple[int, int] = (32, 32)) -> Image.Image:
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    return picture


def stored(picture: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def check_halves(content: bytes, name: str) -> None:
    pixels, _ = decode(content, name, SHAPE)
    assert pixels.shape == SHAPE
    left, right = pixels[:, :, :3].reshape(3, -1).mean(axis=1), pixels[:, :, -3:].reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(left, RED, atol=30)
    np.testing.assert_allclose(right, BLUE, atol=30)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_png_of_any_mode(mode: str) -> None:
    check_halves(stored(halves().convert(mode)), "a.PNG")


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr"])
def test_a_jpeg_of_any_mode(mode: str) -> None:
    check_halves(stored(halves().convert(mode), "JPEG", quality=95), "a.jpeg")


@pytest.mark.parametrize("size", [(8, 8), (40, 20), (20, 40), (500, 300)])
def test_a_picture_of_any_size_is_covered_and_cut_around_its_centre(size: tuple[int, int]) -> None:
    pixels, _ = decode(stored(halves(size)), "a.png", SHAPE)
    assert pixels.shape == SHAPE
    assert pixels[0, :, 0].min() > 200  # red at the left
    assert pixels[2, :, -1].min() > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = halves()
    lying = picture.transpose(undone[orientation]) if orientation in undone else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    check_halves(stored(lying, "JPEG", quality=95, exif=exif), "a.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"MM\0*\0\0", b"MM\0*\0", b"no TIFF header"])
def test_a_picture_whose_exif_can_not_be_read_is_taken_as_it_stands(kind: str, exif: bytes) -> None:
    check_halves(stored(halves(), kind, exif=b"Exif\0\0" + exif), "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says_whatever_type_another_tag_has(kind: str) -> None:
    tags = struct.pack(">HHHIHxxHHI4s", 2, 0x0112, 3, 1, 6, 0x0128, 2, 4, b"cm\0\0")  # the unit of resolution as text
    exif = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tags + bytes(4)
    check_halves(stored(halves().transpose(Image.Transpose.ROTATE_90), kind, exif=exif), "a")


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    pixels, _ = decode(stored(Image.fromarray(ramp)), "a.png", (1, 8, 8))
    np.testing.assert_allclose(pixels[0], np.rint(ramp / 257), atol=1)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (8, 8), (9, 9, 9, 0))
    indexed = Image.new("P", (8, 8), 0)
    for content in (stored(clear), stored(indexed, transparency=0), stored(Image.new("LA", (8, 8), (9, 0)))):
        assert decode(content, "a.png", SHAPE)[0].min() == 255


def test_one_channel_is_grey() -> None:
    pixels, _ = decode(stored(halves()), "a.png", (1, 8, 8))
    assert pixels.shape == (1, 8, 8)
    assert pixels[0, 0, 0] == 76  # .299 of red: ITU-R 601


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose data is short."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    parts = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "a.png", "is empty"),
        (b"hello", "a.jpg", "is not an image"),
        (stored(halves(), "ICO"), "a.png", "is not an image"),
        (stored(halves((300, 300)), "JPEG")[:-300], "a.jpg", "is broken"),
        (stored(halves())[:-30], "a.png", "is broken"),
        (bomb(9_000, 9_000), "a.png", "is enormous: 9,000 x 9,000 pixels"),
        (bomb(60_000, 60_000), "a.png", "is enormous"),
        (bomb(100, 100), "a.png", "is broken"),
        (damaged_tiff(), "a.tiff", "is broken"),
    ],
)
def test_what_can_not_be_learned_from_is_told_apart(content: bytes, name: str, why: str) -> None:
    with pytest.raises(ImageDecodeError, match=why):
        decode(content, name, SHAPE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a"])
def test_an_image_is_read_by_its_content_whatever_its_name(kind: str, name: str) -> None:
    check_halves(stored(halves(), kind), name)
    assert is_misnamed(stored(halves(), kind), name) is (name != {"JPEG": "a.jpg", "PNG": "a.png"}.get(kind))
