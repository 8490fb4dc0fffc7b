"""Predictor for a language model, which is evaluated by its perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from pipeline.data.batches import BatchedData
from pipeline.errors import ConfigError
from pipeline.inference.export import ExportableModel
from pipeline.inference.predictor import Net
from pipeline.types import Evaluation, Judge, Prediction, Split

# B batch, T time


class LanguageModel(Net):
    """A net that predicts the next word; text classifiers are initialised from its weights."""

    __slots__ = ()

    @torch.inference_mode()
    def mean_nll(self, data: BatchedData, split: Split) -> float:
        """The mean negative log-likelihood of a word of a split, in nats."""
        net: Any = self.net
        sums, counts = zip(*(net.nll(tokens_BT, exact=True) for tokens_BT, _ in data.batches(split)), strict=True)
        return float(sum(sums) / sum(counts))

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        nll = self.mean_nll(data, split)
        return Evaluation({"loss": nll, "perplexity": math.exp(nll)})

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        raise language_model_error(self.config["name"])

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        raise language_model_error(self.config["name"])


def language_model_error(name: str) -> ConfigError:
    return ConfigError(
        f"{name}: a language model, which predicts no classes. Choose a classifier that is initialised from it."
    )
