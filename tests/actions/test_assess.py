"""What is the same for the scores of all kinds of models."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.actions.assess import assess, named_metrics, robustness
from pipeline.evaluation import robustness as measured
from pipeline.inference.language_model import LanguageModel
from pipeline.types import Evaluation, Predictions


def test_scores_are_computed_by_one_thread_however_many_cores_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def measured(data: Any, split: str) -> float:
        threads.append(torch.get_num_threads())
        return 0.0

    torch.set_num_threads(2)
    config = {"name": "x", "requires": {}, "model": {"_target_": "pipeline.tasks.language_modelling.LanguageModelling"}}
    model: Any = LanguageModel(torch.nn.Identity(), config, {})
    monkeypatch.setattr(LanguageModel, "mean_nll", lambda self, data, split: measured(data, split))
    data: Any = None
    assert named_metrics(assess(model, data, "test", root=tmp_path), "test") == {
        "test/loss": 0.0,
        "test/perplexity": 1.0,
    }
    assert threads == [1]


class Bright:
    """A classifier of images by their mean, and of texts by the word good; it is always right about `data`."""

    def __init__(self, input_type: str):
        self.input_type, self.labels = input_type, ("negative", "positive")
        self.config = {"data": {"in_shape": [1, 28, 28]}}

    def class_probabilities(self, inputs: list[Any]) -> np.ndarray:
        positive = ["good" in one if isinstance(one, str) else float(one.mean()) > 0.5 for one in inputs]
        scores_NC: np.ndarray = np.eye(2)[np.array(positive, dtype=int)]
        return scores_NC


def data(count: int, *, texts: bool) -> Any:
    """Samples of the classes 0, 1, 0, 1, …, in batches of 7."""
    truth = torch.arange(count) % 2
    images = (truth * 0.5 + 0.2).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    return SimpleNamespace(
        batches=lambda split: zip(images.split(7), truth.split(7), strict=True),
        raw_texts=lambda split: [["a film", "a good film"][label] for label in truth.tolist()] if texts else None,
        centred_digits=not texts,
    )


@pytest.mark.parametrize(("input_type", "kinds"), [("images", 5), ("texts", 3), ("points", 0)])
def test_robustness_is_measured_on_the_chosen_samples_with_their_own_classes(
    input_type: str, kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "SAMPLES", 20)
    predictions = Predictions(np.arange(50) % 2, np.eye(2)[np.arange(50) % 2], ("negative", "positive"))
    classifier: Any = Bright(input_type)
    curves = robustness(Evaluation({}, details=predictions), classifier, data(50, texts=input_type == "texts"), "test")
    assert len(curves) == kinds
    for kind, curve in curves.items():
        assert curve["samples"] == (20 if kind != "negation" else 200)
        # Of the sentences about good and bad films the classifier knows one adjective in twenty.
        assert curve["accuracy"][curve["strength"].index(0)] == (1 if kind != "negation" else 0.55)


def test_models_that_predict_no_classes_have_no_robustness() -> None:
    nothing: Any = None
    assert robustness(Evaluation({}), nothing, nothing, "test") == {}
