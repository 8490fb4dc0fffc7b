"""Measure how well a classifier of images tells foreign images from those of its own data."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.config import build_data
from pipeline.data.images.letters import letters
from pipeline.errors import ConfigError, DataError
from pipeline.evaluation.outliers import auroc
from pipeline.inference.inputs import chunks
from pipeline.inference.predictor import ImageClassifier, as_images
from pipeline.inference.requests import read_inputs
from pipeline.kinds import load
from pipeline.runs import lookup
from pipeline.types import RawInput, Split

if TYPE_CHECKING:
    from pipeline.data.batches import BatchedData

LETTERS = "letters"  # printed ones, which this package draws
BATCH = 500


@dataclass(frozen=True, slots=True)
class Foreign:
    """The area under the ROC curve of the distance, and the shares of both kinds of images that it marks."""

    against: str
    auroc: float
    marked: float  # share of the foreign images that are marked as unfamiliar
    false_alarms: float  # share of the split that is
    foreign: int
    own: int

    def __str__(self) -> str:
        sizes = f"{self.foreign:,} images of {self.against} against {self.own:,} of its own"
        return (
            f"AUROC          {self.auroc:.4f} ({sizes})\n"
            f"marked         {self.marked:.1%} of {self.against}, {self.false_alarms:.1%} of its own"
        )


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
    detector = predictor.outliers

    def distances(images_BCHW: torch.Tensor) -> np.ndarray:
        return detector.distance(predictor.features(images_BCHW).double().numpy())

    foreign_NCHW = torch.from_numpy(as_images(_read(predictor, against), predictor.config)).float()
    data: BatchedData = build_data(predictor.config, root / "data")
    own = np.concatenate([distances(images_BCHW) for images_BCHW, _ in data.batches(split)])
    foreign = np.concatenate([distances(images_BCHW) for images_BCHW in foreign_NCHW.split(BATCH)])
    least = detector.threshold
    return Foreign(
        against,
        auroc(own, foreign),
        float((foreign > least).mean()),
        float((own > least).mean()),
        len(foreign),
        len(own),
    )


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
