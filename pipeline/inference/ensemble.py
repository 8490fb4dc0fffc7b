"""The mean of several classifiers.

Source: Hansen, Salamon 1990, doi:10.1109/34.58871.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.data.batches import BatchedData
from pipeline.errors import ConfigError
from pipeline.evaluation import classification
from pipeline.inference.export import ExportableModel, Mean, facts
from pipeline.inference.predictor import class_prediction
from pipeline.types import Classifier, Evaluation, InputType, Judge, Prediction, Predictions, Split

# N samples, B batch, C class


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Classifiers that answer together: with the mean of their probabilities."""

    members: tuple[Classifier, ...]
    config: dict[str, Any]  # name, seed, data, model, requires
    manifest: dict[str, Any]

    @property
    def input_type(self) -> InputType | None:
        return self.members[0].input_type

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    def probabilities(self, inputs: Tensor) -> Tensor:
        """A batch of what the members take -> (B, C) class probabilities."""
        total: Tensor = sum(member.probabilities(inputs) for member in self.members)  # type: ignore[assignment]
        return total / len(self.members)

    def log_odds(self, inputs: Tensor, label: int) -> np.ndarray:
        """(B,) log-odds of a class."""
        return classification.log_odds(self.probabilities(inputs)[:, label].numpy())

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of texts as they were written."""
        return _mean([member.text_probabilities(texts) for member in self.members])

    def class_probabilities(self, inputs: Sequence[Any]) -> np.ndarray:
        """(N, C) class probabilities of what the members take."""
        return _mean([member.class_probabilities(inputs) for member in self.members])

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        """All of a split, in its order."""
        answers = [member.predict_split(data, split) for member in self.members]
        return Predictions(answers[0].y_true, _mean([one.y_score for one in answers]), answers[0].labels)

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        return [class_prediction(score_C, self.labels) for score_C in self.class_probabilities(inputs)]

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        return classification.evaluate(self.predict_split(data, split), data, split)

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The members' nets as one.

        Raises: ConfigError if one of them has no portable form, or they number words differently.
        """
        forms = [member.exportable(data, count) for member in self.members]
        first: ExportableModel = forms[0]
        if any(form.facts.get("vocabulary.json") != first.facts.get("vocabulary.json") for form in forms):
            raise ConfigError(
                f"{self.config['name']}: its members number words differently, so no one input fits all. Export each."
            )
        told = {**first.facts, **facts(self.config, None)}
        return replace(first, net=Mean([form.net for form in forms]).eval(), facts=told)


def _mean(answers: Sequence[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean(answers, axis=0)
    return mean
