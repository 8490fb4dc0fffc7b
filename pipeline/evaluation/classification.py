"""From predictions to metrics: arrays in, numbers out, whatever made the predictions."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.types import Evaluation, Predictions, Split

if TYPE_CHECKING:  # a mistyped run is answered without torch's import
    from pipeline.data.batches import BatchedData

# N samples, C classes
LEAST = 1e-7  # probabilities nearer to 0 or 1 than this are not told apart


def classification(predictions: Predictions, data: "BatchedData", split: Split) -> Evaluation:
    """A classifier's evaluation; of test, `accuracy_unseen` leaves out the samples that are in train, too."""
    scores = metrics(predictions)
    if split == "test" and (seen_N := data.seen_in_train("test")) is not None:
        unseen = predictions.of(~seen_N)
        if len(unseen.y_true):
            scores["accuracy_unseen"] = metrics(unseen)["accuracy"]
    samples = answered(predictions.y_true.tolist(), predictions.y_score.argmax(axis=1).tolist())
    return Evaluation(scores, samples, predictions)


def answered(truth: Sequence[Any], answers: Sequence[Any]) -> dict[str, str]:
    """`right`, a digit 1 or 0 for each sample, and `truth_digest`, the SHA-256 of the true answers."""
    right = "".join("01"[true == answer] for true, answer in zip(truth, answers, strict=True))
    return {"right": right, "truth_digest": hashlib.sha256(repr(list(truth)).encode()).hexdigest()}


def log_odds(probability: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p))."""
    kept = np.clip(np.asarray(probability, np.float64), LEAST, 1 - LEAST)
    odds: np.ndarray = np.log(kept / (1 - kept))
    return odds


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
