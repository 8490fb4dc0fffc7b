"""Metrics of classifiers, computed from arrays of class probabilities."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.calibration import Calibration, brier_score, expected_calibration_error
from pipeline.evaluation.conformal import COVERAGE, coverage_and_size
from pipeline.evaluation.intervals import wilson
from pipeline.types import Evaluation, Predictions, Split

if TYPE_CHECKING:  # a mistyped run is reported without importing torch
    from pipeline.data.batches import BatchedData

# N samples, C classes
MIN_PROBABILITY = 1e-7  # log-odds are computed of probabilities clipped to [1e-7, 1 - 1e-7]


def evaluate(
    predictions: Predictions, data: "BatchedData", split: Split, calibration: Calibration | None = None
) -> Evaluation:
    """Evaluate a classifier; on test, `accuracy_unseen` leaves out the samples that also occur in train.

    All metrics but those of `calibration` are of the probabilities as they are, without temperature.
    """
    measured = metrics(predictions)
    measured["accuracy_low"], measured["accuracy_high"] = wilson(measured["accuracy"], len(predictions.y_true))
    if calibration:
        measured |= calibration_metrics(predictions, calibration)
    if split == "test" and (seen_N := data.seen_in_train("test")) is not None:
        unseen = predictions.subset(~seen_N)
        if len(unseen.y_true):
            measured["accuracy_unseen"] = metrics(unseen)["accuracy"]
    samples = correctness(predictions.y_true.tolist(), predictions.y_score.argmax(axis=1).tolist())
    return Evaluation(measured, samples, predictions)


def correctness(truth: Sequence[object], predicted: Sequence[object]) -> dict[str, str]:
    """`right`, a digit for each sample (1 if it is correct), and `truth_digest`, the SHA-256 of the true values."""
    right = "".join("01"[true == guess] for true, guess in zip(truth, predicted, strict=True))
    return {"right": right, "truth_digest": hashlib.sha256(repr(list(truth)).encode()).hexdigest()}


def log_odds(probability: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p))."""
    clipped = np.clip(np.asarray(probability, np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    odds: np.ndarray = np.log(clipped / (1 - clipped))
    return odds


def metrics(predictions: Predictions) -> dict[str, float]:
    """`accuracy` and `loss`, the mean negative log-likelihood in nats; with two classes also `roc_auc`."""
    true_probability_N = _true_class_probability(predictions)
    both_classes = predictions.y_score.shape[1] == 2 and len(set(predictions.y_true.tolist())) == 2
    return {
        **({"roc_auc": roc_auc(predictions)} if both_classes else {}),
        "accuracy": float((predictions.y_score.argmax(axis=1) == predictions.y_true).mean()),
        "loss": float(-np.log(np.maximum(true_probability_N, np.finfo(true_probability_N.dtype).tiny)).mean()),
    }


def calibration_metrics(predictions: Predictions, calibration: Calibration) -> dict[str, float]:
    """`ece` and `brier` of the calibrated probabilities, `ece_uncalibrated`, the `temperature`, and the `coverage` and
    mean `set_size` of prediction sets that are to hold 99 % of the true classes.
    """
    calibrated = calibration.predictions(predictions)
    coverage, size = coverage_and_size(calibrated.y_score, calibrated.y_true, calibration.threshold(COVERAGE))
    return {
        "ece": expected_calibration_error(calibrated),
        "ece_uncalibrated": expected_calibration_error(predictions),
        "brier": brier_score(calibrated),
        "temperature": calibration.temperature,
        "coverage": coverage,
        "set_size": size,
    }


def roc_auc(predictions: Predictions) -> float:
    """The area under the ROC curve of a classifier of two classes."""
    # The difference, since a probability alone ties where it rounds to 1.
    return area_under_roc(predictions.y_score[:, 1] - predictions.y_score[:, 0], predictions.y_true == 1)


def area_under_roc(score_N: np.ndarray, positive_N: np.ndarray) -> float:
    """The area under the ROC curve: P(score of a positive sample > score of a negative one), where ties count half.

    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010.
    """
    _, index, counts = np.unique(score_N, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[index]  # from 1; ties share their mean rank
    n = int(positive_N.sum())
    return float((rank[positive_N].sum() - n * (n + 1) / 2) / (n * (len(score_N) - n)))


def confusion(predictions: Predictions) -> np.ndarray:
    """(C, C) confusion matrix of counts: a row for each true class, a column for each predicted class."""
    classes = len(predictions.labels)
    cells = predictions.y_true * classes + predictions.y_score.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def worst_errors(predictions: Predictions, count: int) -> np.ndarray:
    """Indices of up to `count` wrong predictions, the most confident first."""
    wrong = np.flatnonzero(predictions.y_score.argmax(axis=1) != predictions.y_true)
    return wrong[np.argsort(-predictions.y_score[wrong].max(axis=1), kind="stable")][:count]


def highest_loss(predictions: Predictions, count: int) -> np.ndarray:
    """Indices of the `count` samples with the least probability of the true class, the least probable first."""
    return np.argsort(_true_class_probability(predictions), kind="stable")[:count]


def _true_class_probability(predictions: Predictions) -> np.ndarray:
    """(N,) predicted probability of each sample's true class."""
    own: np.ndarray = predictions.y_score[np.arange(len(predictions.y_true)), predictions.y_true]
    return own
