"""Printed letters in the form of MNIST's digits: images that are no digit, to measure what a model makes of such."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.data.images.digits import centred

# Without those that look like digits: B, b, g, I, i, l, O, o, q, Q, S, s, Z, z.
LETTERS = "ACDEFGHJKLMNPRTUVWXYacdefhkmnprtuvwxy"
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono", "STIXGeneral")
ANGLES = (-12, 0, 12)  # degrees
SIDE = 140  # pixels of a drawing before it is scaled down


def letters() -> np.ndarray:
    """(N, 28, 28) uint8 images: each letter in each of matplotlib's fonts, upright and turned."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "mpl-data/fonts/ttf"
    images = []
    for font_name in FONTS:
        font = ImageFont.truetype(str(folder / f"{font_name}.ttf"), 96)
        for letter in LETTERS:
            image = Image.new("L", (SIDE, SIDE))
            ImageDraw.Draw(image).text((SIDE // 2, SIDE // 2), letter, 255, font, anchor="mm")
            images += [centred(np.asarray(image.rotate(angle))) for angle in ANGLES]
    return np.stack(images)
