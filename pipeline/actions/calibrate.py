"""Calibrate a trained classifier on validation, and store that, with an outlier detector, beside its weights."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

from threadpoolctl import threadpool_limits

from pipeline.evaluation import calibration
from pipeline.kinds import load
from pipeline.runs import checkpoints
from pipeline.types import CheckpointFacts, Classifier, Predictor

if TYPE_CHECKING:  # a mistyped run is reported without importing torch
    from pipeline.data.batches import BatchedData


def calibrate(model_dir: Path, data: "BatchedData") -> Predictor:
    """Load a model; a classifier with probabilities is first calibrated on validation, and stored so.

    Its weights and their digest do not change.
    """
    import torch

    from pipeline.inference import detectors
    from pipeline.inference.predictor import ImageClassifier

    torch.set_num_threads(1)  # neither torch's sums nor numpy's may depend on the number of cores
    predictor = load(model_dir)
    if not calibration.has_probabilities(predictor.config):
        return predictor
    with threadpool_limits(1):
        found = calibration.fit(cast(Classifier, predictor).predict_split(data, "val"))
        detector = predictor.fit_outliers(data) if isinstance(predictor, ImageClassifier) else None

    def write(aside: Path) -> None:
        shutil.copytree(model_dir, aside, dirs_exist_ok=True)
        (aside / calibration.FILE).write_bytes(found.json())
        if detector:
            detectors.save(detector, aside)

    facts = cast(CheckpointFacts, {k: v for k, v in predictor.manifest.items() if k != "files"})
    checkpoints.publish(model_dir, write, **facts)
    return load(model_dir)
