"""Ensemble averaging: the mean class probabilities of several classifiers.

Source: Hansen, Salamon 1990, doi:10.1109/34.58871.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from torch import Tensor

from pipeline.config import Config
from pipeline.data.batches import BatchedData
from pipeline.errors import ConfigError
from pipeline.evaluation import classification
from pipeline.evaluation.calibration import Calibration
from pipeline.inference.export import ExportableModel, Mean, calibrated, facts
from pipeline.inference.prediction import class_predictions, with_unfamiliar
from pipeline.inference.text_classifier import ReadsTexts
from pipeline.types import Classifier, Evaluation, InputType, Judge, Manifest, Prediction, Predictions, RawInput, Split

# N samples, B batch, C class


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Classifiers whose class probabilities are averaged; the mean is calibrated, its members are not."""

    members: tuple[Classifier, ...]
    config: Config  # name, seed, data, model, requires, labels
    manifest: Manifest
    calibration: Calibration | None = None

    @property
    def input_type(self) -> InputType | None:
        return self.members[0].input_type

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    def probabilities(self, inputs: Tensor) -> Tensor:
        """(B, C) class probabilities of a batch of the members' inputs."""
        total: Tensor = sum(member.probabilities(inputs) for member in self.members)  # type: ignore[assignment]
        return total / len(self.members)

    def log_odds(self, inputs: Tensor, label: int) -> np.ndarray:
        """(B,) log-odds of a class."""
        return classification.log_odds(self.probabilities(inputs)[:, label].numpy())

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of raw texts."""
        return _mean([member.text_probabilities(texts) for member in self.members])

    def class_probabilities(self, inputs: Sequence[RawInput]) -> np.ndarray:
        """(N, C) class probabilities of inputs of the members' input type."""
        return _mean([member.class_probabilities(inputs) for member in self.members])

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        """Predictions for all samples of a split, in its order."""
        predictions = [member.predict_split(data, split) for member in self.members]
        y_score = _mean([prediction.y_score for prediction in predictions])
        return Predictions(predictions[0].y_true, y_score, predictions[0].labels)

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        scores_NC = self.class_probabilities(inputs)
        predictions = class_predictions(scores_NC, self.labels, self.calibration)
        if self.input_type != "texts":
            return predictions
        return with_unfamiliar(predictions, self.unfamiliar(cast(Sequence[str], inputs)))

    def unfamiliar(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) whether no member knows a word of a text."""
        members = cast(Sequence[ReadsTexts], self.members)
        unfamiliar_N: np.ndarray = np.all([member.unfamiliar(texts) for member in members], axis=0)
        return unfamiliar_N

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        return classification.evaluate(self.predict_split(data, split), data, split, self.calibration)

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The members' nets as one module that averages their outputs.

        Raises: ConfigError if a member can't be exported, or the members read texts in different ways.
        """
        exported = [member.exportable(data, count) for member in self.members]
        first: ExportableModel = exported[0]
        if any(_reading(model) != _reading(first) for model in exported):
            raise ConfigError(
                f"{self.config['name']}: its members' vocabularies or lengths of texts differ, so they share no input. "
                "Export each member."
            )
        metadata = {**first.facts, **facts(self.config, None, self.calibration)}
        net = calibrated(Mean([model.net for model in exported]), self.calibration)
        return replace(first, net=net.eval(), facts=metadata)


def _reading(model: ExportableModel) -> tuple[str | None, ...]:
    """How a text becomes the input of a model: its words, their number, and the end that is read."""
    data = json.loads(model.facts["config.json"])["data"]
    return model.facts.get("vocabulary.json"), data.get("max_tokens"), data.get("truncation_side")


def _mean(scores: Sequence[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean(scores, axis=0)
    return mean
