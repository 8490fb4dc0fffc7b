"""Predictions of classes, in one form for classifiers of all kinds."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.calibration import Calibration
from pipeline.types import Prediction

# N inputs, C classes


def class_prediction(score_C: np.ndarray, labels: Sequence[str], calibration: Calibration | None = None) -> Prediction:
    """The most probable class, its probability, and the probabilities of all classes, calibrated if possible."""
    best = int(score_C.argmax())
    score_C = calibration.scores(score_C) if calibration else score_C
    probabilities = {label: float(score) for label, score in zip(labels, score_C, strict=True)}
    return {"label": labels[best], "probability": float(score_C[best]), "probabilities": probabilities}


def with_unfamiliar(predictions: Sequence[Prediction], unfamiliar_N: np.ndarray) -> list[Prediction]:
    """The predictions, each with whether its input is unlike what the model was trained on."""
    return [
        {**prediction, "unfamiliar": bool(unfamiliar)}
        for prediction, unfamiliar in zip(predictions, unfamiliar_N, strict=True)
    ]
