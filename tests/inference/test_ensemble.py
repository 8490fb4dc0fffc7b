"""The mean of several classifiers: by hand, of nets and baselines alike, and stored whole."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from pipeline.config import build_data, load_config, resolve
from pipeline.errors import CheckpointError, ConfigError
from pipeline.evaluation.calibration import Calibration
from pipeline.inference.ensemble import Ensemble
from pipeline.inference.export import ExportableModel
from pipeline.kinds import load
from pipeline.runs import checkpoints, lookup, requirements
from pipeline.training import baselines
from pipeline.training.fit import fit
from pipeline.training.fixed_unit import assemble
from pipeline.types import Predictions, Split
from tests.conftest import TINY_TEXT


@dataclass
class Fixed:
    scores: list[float]
    knows: str = ""
    input_type = "texts"

    def predict_split(self, data: Any, split: Split) -> Predictions:
        return Predictions(np.array([1]), np.array([self.scores]), ("a", "b"))

    def text_probabilities(self, texts: list[str]) -> np.ndarray:
        return np.array([self.scores] * len(texts))

    class_probabilities = text_probabilities

    def unfamiliar(self, texts: list[str]) -> np.ndarray:
        return np.array([self.knows not in text for text in texts])


def test_an_ensembles_probabilities_are_the_mean_of_its_members() -> None:
    members: Any = (Fixed([0.9, 0.1]), Fixed([0.3, 0.7]), Fixed([0.3, 0.7]))
    ensemble = Ensemble(members, {"labels": ["a", "b"]}, {})
    data: Any = None
    np.testing.assert_allclose(ensemble.predict_split(data, "test").y_score, [[0.5, 0.5]])
    np.testing.assert_allclose(ensemble.text_probabilities(["one", "two"]), [[0.5, 0.5]] * 2)
    assert ensemble.labels == ("a", "b")


def test_a_text_is_unfamiliar_to_an_ensemble_if_no_member_knows_a_word_of_it() -> None:
    members: Any = (Fixed([0.9, 0.1], "good"), Fixed([0.9, 0.1], "bad"))
    predictions = Ensemble(members, {"labels": ["a", "b"]}, {}).predict(["good", "bad", "good bad", "neither"])
    assert [prediction["unfamiliar"] for prediction in predictions] == [False, False, False, True]


def test_seeds_of_an_ensemble_share_no_member() -> None:
    def members(seed: int) -> list[str]:
        config = resolve(load_config("experiment=mnist_ensemble", f"seed={seed}"))
        config["requires"]["members"] = ["mnist_cnn", "mlp_mnist", "mnist_cnn", "backprop_mnist-7"]
        return requirements.names(config)

    assert members(0) == ["mnist_cnn-0", "mlp_mnist-0", "mnist_cnn-1", "backprop_mnist-7"]
    assert members(2) == ["mnist_cnn-4", "mlp_mnist-2", "mnist_cnn-5", "backprop_mnist-7"]
    assert requirements.names(resolve(load_config("experiment=imdb_lstm_best", "seed=2"))) == [
        "imdb_lstm_pseudo-2",
        "imdb_nbsvm-2",
    ]
    assert requirements.names(resolve(load_config("experiment=mnist_gan"))) == ["mnist_cnn-0"]


def test_a_net_and_a_baseline_are_stored_together_and_answer_together(tiny_imdb: Path) -> None:
    folders = {}
    for name in ("gru", "nbsvm"):
        own = ("data.vocabulary_size=40", "data.max_tokens=5") if name == "gru" else ()
        config = resolve(load_config(f"model={name}", *TINY_TEXT, *own, "trainer.max_epochs=2"))
        config["cluster"]["gpus_per_worker"] = 0
        train = fit if name == "gru" else baselines.fit
        (tiny_imdb / name).mkdir()
        folders[f"{name}-0"] = train(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / name).model_dir
    config = resolve(load_config("experiment=imdb_lstm_best", *TINY_TEXT))
    stored = assemble(config, folders, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "both").model_dir

    both: Any = load(stored)
    data = build_data(config, tiny_imdb / "data")
    each: list[Any] = [load(folder) for folder in folders.values()]
    alone = [one.predict_split(data, "test").y_score for one in each]
    np.testing.assert_allclose(both.predict_split(data, "test").y_score, np.mean(alone, axis=0))
    # Each member reads words and lengths as it was trained, whatever the ensemble's data says.
    np.testing.assert_allclose(np.mean(alone, axis=0), both.text_probabilities(data.texts["test"]), atol=1e-6)
    assert both.labels == ("negative", "positive")
    assert lookup.model_dir(str(stored), tiny_imdb) == stored
    assert checkpoints.weights_digest(both.manifest) not in (
        checkpoints.weights_digest(load(f).manifest) for f in folders.values()
    )

    weights = stored / "members/gru-0/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match=r"members/gru-0/model\.safetensors: expected SHA-256"):
        load(stored)


def test_a_neuron_set_by_hand_is_stored_and_answers(project: Path) -> None:
    config = resolve(load_config("experiment=neuron", "data.gate=or"))
    neuron: Any = load(assemble(config, {}, data_dir=project, run_dir=project).model_dir)
    data = build_data(config, project)
    assert neuron.predict_split(data, "test").y_score.argmax(axis=1).tolist() == [0, 1, 1, 1]
    assert not list(neuron.net.parameters())
    assert torch.equal(next(neuron.net.buffers()), torch.tensor([1.0, 1.0]))


def test_an_ensembles_own_temperature_is_applied_to_the_mean_of_its_members() -> None:
    members: Any = (Fixed([0.9, 0.1]), Fixed([0.7, 0.3]))
    plain = Ensemble(members, {"labels": ["a", "b"]}, {})
    calibrated = replace(plain, calibration=Calibration(2.0, np.array([0.5])))
    (prediction,), (before,) = calibrated.predict(["one"]), plain.predict(["one"])
    assert before["probabilities"] == pytest.approx({"a": 0.8, "b": 0.2})
    assert prediction["probabilities"] == pytest.approx({"a": 2 / 3, "b": 1 / 3})  # square roots of 4 : 1


@pytest.mark.parametrize("other", [{"max_tokens": 9}, {"truncation_side": "left"}, {"vocabulary": "words"}])
def test_members_that_read_texts_in_different_ways_are_not_exported_as_one(other: dict[str, Any]) -> None:
    def member(**how: Any) -> SimpleNamespace:
        reading = {"max_tokens": 5, "truncation_side": "right", "vocabulary": "", **how}
        facts = {"config.json": json.dumps({"data": reading}), "vocabulary.json": reading["vocabulary"]}
        model = ExportableModel(torch.nn.Identity(), {}, "probabilities", (), facts)
        return SimpleNamespace(exportable=lambda data, count: model)

    config, data = {"name": "both", "labels": ["a", "b"]}, cast(Any, None)
    Ensemble(cast(Any, (member(), member())), config, {}).exportable(data, 1)
    with pytest.raises(ConfigError, match="both: its members' vocabularies or lengths of texts differ"):
        Ensemble(cast(Any, (member(), member(**other))), config, {}).exportable(data, 1)
