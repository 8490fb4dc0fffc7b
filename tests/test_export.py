"""A net in portable form says what the net says."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pipeline.config import build, load_config, resolve
from pipeline.export import to_onnx, with_softmax


@pytest.mark.parametrize("model", ["cnn", "cnn_best", "cnn_lecture", "mlp", "backprop"])
def test_onnx_equals_torch_at_every_batch_size(model: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = build(resolve(load_config(f"model={model}"))["model"]["net"])
    net(torch.rand(16, 1, 28, 28))  # batch statistics that are not the initial ones
    inputs = {"input": torch.rand(2, 1, 28, 28)}
    to_onnx(with_softmax(net), inputs, "probabilities", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for batch in (1, 3, 128):
        images = torch.rand(batch, 1, 28, 28)
        with torch.no_grad():
            expected = net(images).softmax(1).numpy()
        (found,) = session.run(None, {"input": images.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_translators_onnx_equals_torch_at_every_batch_size_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = build(resolve(load_config("experiment=piglatin_seq2seq"))["model"]["net"]).eval()
    inputs = {"input": torch.randint(2, 28, (2, 5))}
    to_onnx(with_softmax(net), inputs, "probabilities", tmp_path / "model.onnx", text=["input"])
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for batch, length in ((1, 1), (3, 14), (64, 9)):
        words = torch.randint(2, 28, (batch, length))
        words[-1, length // 2 + 1 :] = 0  # one is padded
        with torch.no_grad():
            expected = net(words).softmax(2).numpy()
        (found,) = session.run(None, {"input": words.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-5)
