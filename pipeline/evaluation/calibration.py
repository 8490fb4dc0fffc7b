"""Calibration of class probabilities: temperature scaling fitted on validation, and how calibrated they are.

Sources: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599 (temperature scaling, expected calibration error); Brier
1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.config import Config
from pipeline.config.kind import kind_name, task_of
from pipeline.errors import CheckpointError
from pipeline.evaluation import conformal
from pipeline.types import Classifier, Predictions

# N samples, C classes
FILE = "calibration.json"  # in a model folder, beside the weights
BINS = 15  # of equal width, as in Guo et al.
LIMITS = (1e-2, 1e2)  # of the temperature
TINY = float(np.finfo(np.float32).tiny)
# Relative error of a probability: `FILE` rounds by up to half of it, and float32 sums differ less between batches.
ROUNDING = 1e-5
# Their rules have no likelihood: the scores are sums of weights, whose softmax is no probability.
THRESHOLD_UNITS = "pipeline.tasks.online.Online"


class Bin(NamedTuple):
    """The samples whose highest probability lies in an interval."""

    samples: int
    confidence: float  # mean of the highest probabilities
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model's temperature, and the probabilities of validation's true classes after it, in rising order."""

    temperature: float
    true_probability_N: np.ndarray

    def scores(self, score_NC: np.ndarray) -> np.ndarray:
        """(N, C) or (C,) calibrated probabilities; the order of a sample's classes is unchanged."""
        return tempered(score_NC, self.temperature)

    def predictions(self, predictions: Predictions) -> Predictions:
        """The same predictions with calibrated probabilities."""
        return Predictions(predictions.y_true, self.scores(predictions.y_score), predictions.labels)

    def threshold(self, coverage: float) -> float:
        """The least calibrated probability of a class in a prediction set of this coverage; 0 puts all classes in.

        It is lowered by `ROUNDING`: a net with one prediction for all inputs has all true classes at the threshold.
        """
        return conformal.threshold(self.true_probability_N, coverage) * (1 - ROUNDING)

    def json(self) -> bytes:
        """The content of `FILE`."""
        content = {
            "temperature": self.temperature,
            "validation_samples": len(self.true_probability_N),
            "true_class_probability": [float(f"{value:.6g}") for value in self.true_probability_N],
        }
        return f"{json.dumps(content)}\n".encode()


class CalibratedClassifier(Classifier, Protocol):
    """A stored classifier; `calibration` is None if it was stored without one, or has no probabilities."""

    @property
    def calibration(self) -> Calibration | None: ...


def has_probabilities(config: Config) -> bool:
    """Whether a model's outputs are class probabilities: those of threshold units (perceptron, neuron) are not."""
    classifies = task_of(config).does in ("classify", "classify frozen features")
    of_threshold_units = kind_name(config) == "fixed unit" or config["model"].get("_target_") == THRESHOLD_UNITS
    return classifies and not of_threshold_units


def fit(validation: Predictions) -> Calibration:
    """Fit the temperature on validation, and keep what prediction sets are computed from."""
    temperature = best_temperature(validation)
    scores_NC = tempered(validation.y_score, temperature)
    return Calibration(temperature, np.sort(scores_NC[np.arange(len(scores_NC)), validation.y_true]))


def read(model_dir: Path) -> Calibration | None:
    """The calibration in a verified model folder; None if it has none.

    Raises: CheckpointError if the file is not a calibration.
    """
    path = model_dir / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        return Calibration(float(content["temperature"]), np.array(content["true_class_probability"], np.float64))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: not a calibration ({error!r}). Train again.") from error


def tempered(score_NC: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T), which is softmax(logits / T): T > 1 makes probabilities less extreme."""
    scaled_NC = log_probabilities(score_NC) / temperature
    powers_NC = np.exp(scaled_NC - scaled_NC.max(axis=-1, keepdims=True))
    probabilities_NC: np.ndarray = powers_NC / powers_NC.sum(axis=-1, keepdims=True)
    return probabilities_NC


def log_probabilities(score_NC: np.ndarray) -> np.ndarray:
    """The logarithms of probabilities; those that a float32 can't hold count as its least normal number."""
    logs_NC: np.ndarray = np.log(np.maximum(np.asarray(score_NC, np.float64), TINY))
    return logs_NC


def best_temperature(predictions: Predictions) -> float:
    """The temperature with the least mean negative log-likelihood, within `LIMITS`; 1 if no prediction is wrong.

    Without an error the likelihood grows until T is 0, and every probability is 1: the samples show no limit.
    The likelihood is concave in 1 / T. Its slope, the mean over the samples of the true class's logit less the expected
    logit, has one root, which bisection brackets to 15 digits.
    """
    if (predictions.y_score.argmax(axis=1) == predictions.y_true).all():
        return 1.0
    logits_NC = log_probabilities(predictions.y_score)
    true_N = logits_NC[np.arange(len(logits_NC)), predictions.y_true]

    def slope(inverse: float) -> float:
        return float((true_N - (tempered(predictions.y_score, 1 / inverse) * logits_NC).sum(axis=1)).mean())

    low, high = 1 / LIMITS[1], 1 / LIMITS[0]
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return 1 / low


def reliability(predictions: Predictions, bins: int = BINS) -> list[Bin]:
    """The bins of the highest probability that hold samples, the lowest first."""
    confidence_N = predictions.y_score.max(axis=1)
    right_N = predictions.y_score.argmax(axis=1) == predictions.y_true
    places_N = np.ceil(confidence_N * bins).clip(1, bins).astype(int) - 1  # (0, 1/bins], …, (1 - 1/bins, 1]
    return [
        Bin(int(inside.sum()), float(confidence_N[inside].mean()), float(right_N[inside].mean()))
        for place in range(bins)
        if (inside := places_N == place).any()
    ]


def expected_calibration_error(predictions: Predictions, bins: int = BINS) -> float:
    """The mean distance of confidence and accuracy over the samples' bins."""
    found = reliability(predictions, bins)
    distances = sum(each.samples * abs(each.confidence - each.accuracy) for each in found)
    return distances / len(predictions.y_true)


def brier_score(predictions: Predictions) -> float:
    """The mean squared distance of the probabilities to 1 for the true class and 0 for the others: 0 to 2."""
    targets_NC = np.eye(predictions.y_score.shape[1])[predictions.y_true]
    return float(np.square(predictions.y_score - targets_NC).sum(axis=1).mean())
