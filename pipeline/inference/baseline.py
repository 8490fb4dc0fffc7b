"""Predictor for the fitted text baselines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, cast

import numpy as np
from torch import Tensor

from pipeline.config import Config, build
from pipeline.data.texts.text_data import TextData
from pipeline.errors import CheckpointError, ConfigError
from pipeline.evaluation import calibration as calibrating
from pipeline.evaluation import classification
from pipeline.evaluation.calibration import Calibration
from pipeline.inference.export import ExportableModel
from pipeline.inference.prediction import class_predictions, with_unfamiliar
from pipeline.types import Evaluation, InputType, Judge, Manifest, Prediction, Predictions, RawInput, Split

# N texts, C class


class TextModel(Protocol):
    """A fitted text classifier."""

    def load(self, folder: Path) -> None: ...

    def probabilities(self, texts: Iterable[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class BaselineClassifier:
    """A fitted baseline, ready to predict."""

    model: TextModel
    config: Config  # name, seed, data, model, requires, labels
    manifest: Manifest
    calibration: Calibration | None = None
    input_type: ClassVar[InputType | None] = "texts"

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of raw texts."""
        return self.model.probabilities(texts)

    def class_probabilities(self, inputs: Sequence[RawInput]) -> np.ndarray:
        return self.text_probabilities(cast(Sequence[str], inputs))

    def predict_split(self, data: TextData, split: Split) -> Predictions:
        """Predictions for all samples of a split, in its order."""
        data.read()
        return Predictions(data.truth[split].numpy(), self.model.probabilities(data.texts[split]), data.labels)

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        texts = cast(Sequence[str], inputs)
        scores_NC = self.text_probabilities(texts)
        predictions = class_predictions(scores_NC, self.labels, self.calibration)
        return with_unfamiliar(predictions, self._without_word(scores_NC))

    def unfamiliar(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) whether a text has the scores of an empty one, since it has no word that was fitted."""
        return self._without_word(self.text_probabilities(texts))

    def _without_word(self, scores_NC: np.ndarray) -> np.ndarray:
        empty_N: np.ndarray = (scores_NC == self.text_probabilities([""])).all(axis=1)
        return empty_N

    def evaluate(self, data: TextData, split: Split, judge: Judge | None = None) -> Evaluation:
        return classification.evaluate(self.predict_split(data, split), data, split, self.calibration)

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Raises: ConfigError: a baseline has no input tensor."""
        raise self._has_no_tensor()

    def log_odds(self, inputs: Tensor, label: int) -> np.ndarray:
        """Raises: ConfigError: a baseline has no input tensor."""
        raise self._has_no_tensor()

    def exportable(self, data: TextData, count: int) -> ExportableModel:
        """Raises: ConfigError: a baseline has no input tensor."""
        raise self._has_no_tensor()

    def _has_no_tensor(self) -> ConfigError:
        return ConfigError(
            f"{self.config['name']}: a {type(self.model).__name__} baseline, whose inputs are word counts, can't be "
            "exported. Copy the model's folder: it holds arrays (safetensors) and a list of words."
        )


def load(model_dir: Path, config: Config, manifest: Manifest) -> BaselineClassifier:
    """Load a baseline from its verified model folder.

    Raises: CheckpointError if the folder does not hold a baseline.
    """
    try:
        model: TextModel = build(config["model"])
        model.load(model_dir)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{model_dir}: not a stored baseline ({error!r}). Train again.") from error
    return BaselineClassifier(model, config, manifest, calibrating.read(model_dir))
