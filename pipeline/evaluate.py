"""From predictions to metrics: arrays in, numbers out, whatever made the predictions."""

import numpy as np

from pipeline.types import Predictions

# N samples, C classes


def metrics(predictions: Predictions) -> dict[str, float]:
    """`accuracy`, and `loss`: the mean negative log-likelihood in nats."""
    own = predictions.y_score[np.arange(len(predictions.y_true)), predictions.y_true]
    return {
        "accuracy": float((predictions.y_score.argmax(axis=1) == predictions.y_true).mean()),
        "loss": float(-np.log(np.maximum(own, np.finfo(own.dtype).tiny)).mean()),
    }


def confusion(predictions: Predictions) -> np.ndarray:
    """(C, C) counts: row is the true class, column the predicted one."""
    classes = len(predictions.labels)
    cells = predictions.y_true * classes + predictions.y_score.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def worst_errors(predictions: Predictions, count: int) -> np.ndarray:
    """Indices of up to `count` wrong predictions, the most confident first."""
    wrong = np.flatnonzero(predictions.y_score.argmax(axis=1) != predictions.y_true)
    return wrong[np.argsort(-predictions.y_score[wrong].max(axis=1), kind="stable")][:count]
