"""A drawn digit made like MNIST's: what its makers did with the scans, done with any picture.

Source: LeCun, Bottou, Bengio, Haffner 1998, doi:10.1109/5.726791: each digit fits a 20x20 box, its proportions kept,
and stands in 28x28 so that its centre of mass is in the middle.
"""

import numpy as np

from pipeline.data.images.idx import Bytes
from pipeline.errors import DataError

SIDE, BOX = 28, 20
MIDDLE = 14  # where MNIST's digits have their centre of mass, to within half a pixel both ways


def centred(grey_HW: Bytes) -> Bytes:
    """White ink on black, of any size, as a (28, 28) digit.

    Raises: DataError if nothing is drawn.
    """
    from PIL import Image

    if not grey_HW.any():
        raise DataError("The picture is empty: nothing is drawn on it. Draw a digit, white on black.")
    rows, columns = (np.flatnonzero(grey_HW.any(axis=axis)) for axis in (1, 0))
    ink = grey_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    # Each pixel is the mean of what it covers.
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX), dtype=np.uint8)
    mass = max(int(small.sum(dtype=np.int64)), 1)
    top = MIDDLE - round(float(small.sum(axis=1) @ np.arange(height)) / mass)
    left = MIDDLE - round(float(small.sum(axis=0) @ np.arange(width)) / mass)
    canvas = np.zeros((SIDE + 2 * BOX, SIDE + 2 * BOX), np.uint8)  # ink heavy on one side may reach over the edge
    canvas[BOX + top : BOX + top + height, BOX + left : BOX + left + width] = small
    return canvas[BOX:-BOX, BOX:-BOX]
