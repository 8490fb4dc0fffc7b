"""Measure how well a classifier of images distinguishes foreign images from those of its own data."""

from pathlib import Path

import torch

from pipeline.config import build_data
from pipeline.data.images.letters import letters
from pipeline.errors import ConfigError, DataError
from pipeline.inference.foreign import LETTERS, Foreign, compare
from pipeline.inference.inputs import chunks
from pipeline.inference.predictor import ImageClassifier, as_images
from pipeline.inference.requests import read_inputs
from pipeline.kinds import load
from pipeline.runs import lookup
from pipeline.types import RawInput, Split


def compare_with_foreign(run: str, split: Split, against: str, *, root: Path) -> Foreign:
    """Compare the distances of a split's images with those of foreign ones: `letters`, or a file or folder of images.

    Raises: ConfigError if the model has no outlier detector; DataError if the images can't be read.
    """
    predictor = load(lookup.model_dir(run, root))
    if not isinstance(predictor, ImageClassifier) or predictor.outliers is None:
        raise ConfigError(
            f"--against: {run} can't tell foreign images: it is not a classifier of images, or was stored without an "
            "outlier detector. Train it again, or choose another run."
        )
    foreign_NCHW = torch.from_numpy(as_images(_read(predictor, against), predictor.config)).float()
    data = build_data(predictor.config, root / "data")
    return compare(predictor, predictor.outliers, against, foreign_NCHW, data, split)


def _read(predictor: ImageClassifier, against: str) -> list[RawInput]:
    """Foreign images in the form of the model's input."""
    if against == LETTERS:
        images = letters()
        if list(images.shape[1:]) != list(predictor.config["data"]["in_shape"][1:]):
            raise ConfigError(
                f"--against letters: are 28x28; {predictor.config['name']} takes other images. Give a folder."
            )
        return list(images)
    read: list[RawInput] = []
    for chunk in chunks([against], "images", None):
        for _, image in read_inputs(predictor, chunk):
            if isinstance(image, DataError):
                raise image
            read.append(image)
    return read
