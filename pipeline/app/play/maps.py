"""Maps as bytes, as the page draws them."""

import numpy as np

from pipeline.app.play.network import Array


def encode_map(values: Array) -> bytes:
    """One byte a value: -1 to 1 become 1 to 255, 0 becomes 128, negative values are below 128, NaN and inf are 0."""
    with np.errstate(invalid="ignore"):
        scaled = np.floor(128 + 127 * np.clip(values, -1, 1))
    return np.where(np.isfinite(values), scaled, 0).astype(np.uint8).tobytes()
