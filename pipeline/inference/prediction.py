"""Predictions of classes, in one form for classifiers of all kinds."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.calibration import Calibration
from pipeline.types import Prediction

# N inputs, C classes


def class_prediction(score_C: np.ndarray, labels: Sequence[str], calibration: Calibration | None = None) -> Prediction:
    """The most probable class, its probability, and the probabilities of all classes, calibrated if possible."""
    (prediction,) = class_predictions(score_C[np.newaxis], labels, calibration)
    return prediction


def class_predictions(
    score_NC: np.ndarray, labels: Sequence[str], calibration: Calibration | None = None
) -> list[Prediction]:
    """The `class_prediction` of each input."""
    best_N = score_NC.argmax(axis=1).tolist()
    probability_NC = (calibration.scores(score_NC) if calibration else score_NC).tolist()
    return [
        {
            "label": labels[best],
            "probability": probability_C[best],
            "probabilities": dict(zip(labels, probability_C, strict=True)),
        }
        for best, probability_C in zip(best_N, probability_NC, strict=True)
    ]


def with_unfamiliar(predictions: Sequence[Prediction], unfamiliar_N: np.ndarray) -> list[Prediction]:
    """The predictions, each with whether its input is unlike what the model was trained on."""
    return [
        {**prediction, "unfamiliar": bool(unfamiliar)}
        for prediction, unfamiliar in zip(predictions, unfamiliar_N, strict=True)
    ]
