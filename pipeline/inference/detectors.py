"""Stored outlier detectors of image classifiers, beside the weights."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from pipeline.errors import CheckpointError
from pipeline.evaluation.outliers import OutlierDetector

FILE = "outliers.safetensors"


def save(detector: OutlierDetector, folder: Path) -> None:
    """Write a detector into a model folder."""
    arrays = {"means": detector.means_CF, "precision": detector.precision_FF}
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    save_file({**tensors, "threshold": np.array([detector.threshold])}, folder / FILE)


def read(folder: Path) -> OutlierDetector | None:
    """The detector in a verified model folder; None if it has none.

    Raises: CheckpointError if the file is not a detector.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        arrays = load_file(path)
        means_CF, precision_FF = (arrays[name].astype(np.float64) for name in ("means", "precision"))
        return OutlierDetector(means_CF, precision_FF, float(arrays["threshold"][0]))
    except (SafetensorError, KeyError, IndexError) as error:
        raise CheckpointError(f"{path}: not an outlier detector ({error!r}). Train again.") from error
