"""A net in portable form says what the net says."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from pipeline.config import build, load_config, resolve
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.evaluation.calibration import Calibration
from pipeline.inference.export import (
    ExportableModel,
    Mean,
    Run,
    facts,
    largest_difference,
    to_onnx,
    to_pt2,
    to_safetensors,
    with_softmax,
)


def net_of(*overrides: str) -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = build(resolve(load_config(*overrides))["model"]["net"])
    return net


def check(run: Run, net: nn.Module, *batches: Tensor) -> None:
    for batch in batches:
        with torch.inference_mode():
            expected = net(batch).numpy()
        np.testing.assert_allclose(run({"input": batch.numpy()}), expected, atol=1e-5)


@pytest.mark.parametrize("model", ["cnn", "cnn_best", "cnn_lecture", "mlp", "backprop"])
def test_onnx_equals_torch_at_every_batch_size(model: str, tmp_path: Path) -> None:
    net = net_of(f"model={model}")
    net(torch.rand(16, 1, 28, 28))  # batch statistics that are not the initial ones
    portable = ExportableModel(with_softmax(net).eval(), {"input": torch.rand(2, 1, 28, 28)}, "probabilities")
    run = to_onnx(portable, tmp_path / "model.onnx")
    check(run, portable.net, *(torch.rand(batch, 1, 28, 28) for batch in (1, 3, 128)))


def test_a_translators_onnx_equals_torch_at_every_batch_size_and_length(tmp_path: Path) -> None:
    net = with_softmax(net_of("experiment=piglatin_seq2seq")).eval()
    words = torch.randint(2, 28, (2, 5))
    run = to_onnx(ExportableModel(net, {"input": words}, "probabilities", ("input",)), tmp_path / "model.onnx")
    for batch, length in ((1, 1), (3, 14), (64, 9)):
        words = torch.randint(2, 28, (batch, length))
        words[-1, length // 2 + 1 :] = 0  # one is padded
        check(run, net, words)


def test_pt2_and_safetensors_equal_torch_at_every_batch_size(tmp_path: Path) -> None:
    net = net_of("model=mlp", "model.net.hidden=[9]").eval()
    portable = ExportableModel(net, {"input": torch.rand(2, 1, 28, 28)}, "logits")
    batches = [torch.rand(batch, 1, 28, 28) for batch in (1, 3, 128)]
    check(to_pt2(portable, tmp_path / "model.pt2"), net, *batches)
    other = net_of("model=mlp", "model.net.hidden=[9]", "seed=1")
    check(to_safetensors(portable, tmp_path / "model.safetensors", lambda: other), net, *batches)


def test_pt2_of_a_recurrent_net_takes_any_batch_of_texts_of_one_length(tmp_path: Path) -> None:
    net = net_of("model=gru", "data=imdb", "data.vocabulary_size=20", "model.net.hidden=3", "model.net.embedding=4")
    run = to_pt2(ExportableModel(net.eval(), {"input": torch.randint(1, 20, (2, 4))}, "logits"), tmp_path / "model.pt2")
    padded = torch.randint(1, 20, (5, 4))
    padded[2:, 2:] = 0
    check(run, net, torch.randint(1, 20, (1, 4)), padded)
    with pytest.raises(AssertionError, match="Guard failed"):
        run({"input": np.ones((2, 5), np.int64)})


def test_the_mean_of_two_nets_is_one_net(tmp_path: Path) -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    mean = Mean([with_softmax(one), with_softmax(other)])
    inputs = torch.rand(4, 3)
    torch.testing.assert_close(mean(inputs), (one(inputs).softmax(1) + other(inputs).softmax(1)) / 2)
    check(
        to_onnx(ExportableModel(mean, {"input": inputs}, "probabilities"), tmp_path / "model.onnx"),
        mean,
        torch.rand(7, 3),
    )


def test_a_file_tells_how_it_was_made_its_classes_and_its_words(tmp_path: Path) -> None:
    told = facts({"name": "x", "labels": ["no", "yes"]}, Vocabulary(("the", "fine"), 1))
    to_onnx(
        ExportableModel(nn.Linear(3, 2), {"input": torch.rand(2, 3)}, "logits", facts=told), tmp_path / "model.onnx"
    )
    found = {entry.key: json.loads(entry.value) for entry in onnx.load(str(tmp_path / "model.onnx")).metadata_props}
    assert found["labels.json"] == ["no", "yes"]
    assert found["vocabulary.json"] == {"words": ["the", "fine"], "dropped": 1}


def test_a_form_that_says_something_else_is_found_out_at_any_batch_size() -> None:
    net = nn.Linear(3, 2)
    portable = ExportableModel(net, {"input": torch.rand(9, 3)}, "logits")

    def answers(of: nn.Module, wrong_from: int) -> Run:
        def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
            chosen = of if len(inputs["input"]) >= wrong_from else net
            with torch.inference_mode():
                return np.asarray(chosen(torch.from_numpy(inputs["input"])))

        return run

    other = deepcopy(net)
    torch.nn.init.constant_(other.bias, 7)
    assert largest_difference(answers(net, 0), portable, (1, 3, 8)) == 0
    assert largest_difference(answers(other, 8), portable, (1, 3, 8)) > 1
    assert largest_difference(lambda inputs: np.zeros((1, 2)), portable, (1, 3)) == np.inf
    assert largest_difference(lambda inputs: np.full((1, 2), np.nan), portable, (1,)) == np.inf


def test_a_calibrated_models_temperature_is_part_of_its_onnx(tmp_path: Path) -> None:
    net, inputs = net_of("model=mlp"), torch.rand(2, 1, 28, 28)
    calibration = Calibration(2.5, np.array([0.5]))
    portable = ExportableModel(with_softmax(net, calibration).eval(), {"input": inputs}, "probabilities")
    with torch.inference_mode():
        expected = (net(inputs) / 2.5).softmax(dim=1).numpy()
    np.testing.assert_allclose(
        to_onnx(portable, tmp_path / "model.onnx")({"input": inputs.numpy()}), expected, atol=1e-6
    )
    with torch.inference_mode():
        raw = net(inputs).softmax(dim=1).numpy()
    np.testing.assert_allclose(calibration.scores(raw), expected, atol=1e-6)
    assert json.loads(facts({"labels": []}, None, calibration)["temperature.json"]) == 2.5
