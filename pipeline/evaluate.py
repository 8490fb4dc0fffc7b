"""From predictions to metrics: arrays in, numbers out, whatever made the predictions."""

import numpy as np

from pipeline.types import Predictions

# N samples, C classes


def metrics(predictions: Predictions) -> dict[str, float]:
    """`accuracy`, and `loss`: the mean negative log-likelihood in nats; of two classes `roc_auc`, too."""
    own = predictions.y_score[np.arange(len(predictions.y_true)), predictions.y_true]
    both = predictions.y_score.shape[1] == 2 and len(set(predictions.y_true.tolist())) == 2
    return {
        **({"roc_auc": roc_auc(predictions)} if both else {}),
        "accuracy": float((predictions.y_score.argmax(axis=1) == predictions.y_true).mean()),
        "loss": float(-np.log(np.maximum(own, np.finfo(own.dtype).tiny)).mean()),
    }


def roc_auc(predictions: Predictions) -> float:
    """The chance that a sample of the second class scores higher for it than one of the first; ties count half.

    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010.
    """
    scores = predictions.y_score[:, 1] - predictions.y_score[:, 0]  # near 1 a probability alone would tie
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # of ties their mean, from 1
    second = predictions.y_true == 1
    n = int(second.sum())
    return float((rank[second].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def confusion(predictions: Predictions) -> np.ndarray:
    """(C, C) counts: row is the true class, column the predicted one."""
    classes = len(predictions.labels)
    cells = predictions.y_true * classes + predictions.y_score.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def worst_errors(predictions: Predictions, count: int) -> np.ndarray:
    """Indices of up to `count` wrong predictions, the most confident first."""
    wrong = np.flatnonzero(predictions.y_score.argmax(axis=1) != predictions.y_true)
    return wrong[np.argsort(-predictions.y_score[wrong].max(axis=1), kind="stable")][:count]


def hardest(predictions: Predictions, count: int) -> np.ndarray:
    """Indices of the `count` samples whose true class got the least probability, the least first."""
    own = predictions.y_score[np.arange(len(predictions.y_true)), predictions.y_true]
    return np.argsort(own, kind="stable")[:count]
