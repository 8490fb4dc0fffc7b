"""Normalise an image of a digit as MNIST's makers normalised their scans.

Source: LeCun, Bottou, Bengio, Haffner 1998, doi:10.1109/5.726791: each digit is scaled to a 20x20 box with its
aspect ratio and placed in 28x28 by its centre of mass.
"""

import numpy as np

from pipeline.data.images.idx import Bytes
from pipeline.errors import DataError

SIDE, BOX = 28, 20
MIDDLE = 14  # centre of mass of MNIST's digits, within half a pixel


def centred(grey_HW: Bytes) -> Bytes:
    """A (28, 28) digit from white ink on black of any size.

    Raises: DataError for an empty image.
    """
    from PIL import Image

    if not grey_HW.any():
        raise DataError("The picture is empty: nothing is drawn on it. Draw a digit, white on black.")
    rows, columns = (np.flatnonzero(grey_HW.any(axis=axis)) for axis in (1, 0))
    ink = grey_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    # Box resampling: each pixel is the mean of the area it covers.
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX), dtype=np.uint8)
    mass = max(int(small.sum(dtype=np.int64)), 1)
    top = MIDDLE - round(float(small.sum(axis=1) @ np.arange(height)) / mass)
    left = MIDDLE - round(float(small.sum(axis=0) @ np.arange(width)) / mass)
    canvas = np.zeros(
        (SIDE + 2 * BOX, SIDE + 2 * BOX), np.uint8
    )  # a digit far off its centre of mass may reach over the edge
    canvas[BOX + top : BOX + top + height, BOX + left : BOX + left + width] = small
    return canvas[BOX:-BOX, BOX:-BOX]
