"""How well an outlier detector distinguishes foreign images from those of a model's own data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pipeline.data.images.letters import letters
from pipeline.evaluation.classification import area_under_roc
from pipeline.evaluation.outliers import OutlierDetector
from pipeline.inference.predictor import ImageClassifier, as_images
from pipeline.types import Predictor, Split

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


def compare(
    predictor: ImageClassifier,
    detector: OutlierDetector,
    against: str,
    foreign_NCHW: Tensor,
    data: "BatchedData",
    split: Split,
) -> Foreign:
    """Compare the distances of foreign images in [0, 1], named `against`, with those of a split."""

    def distances(images_BCHW: Tensor) -> np.ndarray:
        return detector.distance(predictor.features(images_BCHW).double().numpy())

    own_M = np.concatenate([distances(images_BCHW) for images_BCHW, _ in data.batches(split)])
    foreign_N = np.concatenate([distances(images_BCHW) for images_BCHW in foreign_NCHW.split(BATCH)])
    is_foreign = np.arange(len(own_M) + len(foreign_N)) >= len(own_M)
    return Foreign(
        against,
        area_under_roc(np.concatenate([own_M, foreign_N]), is_foreign),
        float((foreign_N > detector.threshold).mean()),
        float((own_M > detector.threshold).mean()),
        len(foreign_N),
        len(own_M),
    )


def letters_metrics(predictor: Predictor, data: "BatchedData", split: Split) -> dict[str, float]:
    """`ood_auroc_letters` of a net of digits that has an outlier detector; empty for other models."""
    if not isinstance(predictor, ImageClassifier) or predictor.outliers is None or not data.centred_digits:
        return {}
    drawn_NCHW = torch.from_numpy(as_images(list(letters()), predictor.config))
    return {"ood_auroc_letters": compare(predictor, predictor.outliers, LETTERS, drawn_NCHW, data, split).auroc}
