"""Recurrent nets: one step by hand, padding inert, both ways, gradients by finite differences, export at any length."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.inference.export import ExportableModel, to_onnx, with_softmax
from pipeline.models.recurrent import HASH_FACTOR, Recurrent

KINDS = [
    (cell, both, pooling)
    for cell in ("rnn", "gru", "lstm", "none")
    for both in (False, True)
    for pooling in ("last", "max_mean")
    if cell != "none" or (pooling == "max_mean" and not both)
]
TEXTS = torch.tensor([[5, 3, 9, 2, 4], [7, 2, 0, 0, 0], [1, 0, 0, 0, 0]])


def net(cell: str, both: bool, pooling: str, pairs: int = 0) -> Recurrent:
    torch.manual_seed(0)
    one = Recurrent(12, 2, cell, 3, 4, both, pooling, bigram_buckets=pairs).eval()  # type: ignore[arg-type]
    if one.pairs:
        nn.init.normal_(one.pairs.weight)
    return one


@pytest.mark.parametrize(("cell", "both", "pooling"), KINDS)
def test_what_stands_after_a_texts_end_changes_nothing(cell: str, both: bool, pooling: str) -> None:
    together = net(cell, both, pooling, pairs=64)(TEXTS)
    for row, length in enumerate((5, 2, 1)):
        alone = net(cell, both, pooling, pairs=64)(TEXTS[row : row + 1, :length])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_two_steps_of_a_plain_rnn_by_hand() -> None:
    one = Recurrent(4, 2, "rnn", embedding=1, hidden=1)
    with torch.no_grad():
        one.embedding.weight.copy_(torch.tensor([[0.0], [9.0], [1.0], [-2.0]]))
        way = one.ways[0]
        for parameter, value in zip(way.parameters(), (0.5, 0.25, 0.1, 0.0), strict=True):  # input, state, two biases
            parameter.fill_(value)
        one.head[1].weight.copy_(torch.tensor([[1.0], [-1.0]]))  # type: ignore[operator]
        one.head[1].bias.zero_()  # type: ignore[operator]
    first = math.tanh(0.5 * 1.0 + 0.1)
    second = math.tanh(0.5 * -2.0 + 0.25 * first + 0.1)
    torch.testing.assert_close(one(torch.tensor([[2, 3, 0]])), torch.tensor([[second, -second]]))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_reading_both_ways_equals_torchs_bidirectional_net_on_a_text_without_padding(cell: str) -> None:
    ours = net(cell, True, "last")
    theirs = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](
        3, 4, batch_first=True, bidirectional=True
    )
    for name, parameter in ours.ways[0].named_parameters():
        theirs.get_parameter(name).data = parameter.data
    for name, parameter in ours.ways[1].named_parameters():
        theirs.get_parameter(f"{name}_reverse").data = parameter.data
    words = ours.embedding(TEXTS[:1])
    torch.testing.assert_close(ours.states(words, TEXTS[:1] != 0), theirs(words)[0])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "none"])
def test_the_gradient_is_that_of_finite_differences(cell: str) -> None:
    one = net(cell, cell != "none", "max_mean").double()
    real = torch.tensor([[True, True, True], [True, False, False]])
    words = torch.randn(2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda words: one.head(one.pool(one.states(words, real), real)), (words,))


def test_pairs_of_neighbouring_words_add_their_mean_times_the_root_of_their_number() -> None:
    one = Recurrent(12, 2, "gru", 3, 4, bigram_buckets=1 << 10).eval()
    before = one(TEXTS)
    weight = one.pairs.weight.data.normal_()  # type: ignore[union-attr]
    places = [[(a * HASH_FACTOR + b) % 1024 for a, b in pairwise(text)] for text in ([3, 4, 5], [6, 7])]
    texts = torch.tensor([[3, 4, 5], [6, 7, 0]])
    expected = torch.stack([weight[rows].sum(dim=0) / math.sqrt(len(rows)) for rows in places])
    with torch.no_grad():
        added = one(texts)
        one.pairs.weight.zero_()  # type: ignore[union-attr]
    torch.testing.assert_close(added - one(texts), expected)
    torch.testing.assert_close(one(TEXTS), before)  # and nothing, before they have learned


def test_lost_words_become_unknown_in_training_only() -> None:
    one = Recurrent(12, 2, "none", embedding=3, hidden=1, pooling="max_mean", word_dropout=1.0)
    unknown = torch.where(TEXTS != 0, 1, 0)
    torch.testing.assert_close(one(TEXTS), one.eval()(unknown))
    assert (one.eval()(TEXTS) != one(unknown)).any()


def test_the_lectures_gru_has_a_parameter_count_worked_by_hand() -> None:
    lecture = Recurrent(20000, 2, "gru", embedding=32, hidden=16)
    # 20,000 words of 32; 3 gates of 16 units that see 32 inputs, 16 states and two biases; 2 logits of 16 and a bias.
    assert sum(p.numel() for p in lecture.parameters()) == 640_000 + 3 * 16 * (32 + 16 + 2) + 2 * 17


@pytest.mark.parametrize(("cell", "pairs"), [("rnn", 0), ("gru", 0), ("lstm", 0), ("lstm", 64)])
def test_onnx_equals_torch_at_other_lengths_and_batch_sizes(cell: str, pairs: int, tmp_path: Path) -> None:
    one = net(cell, True, "max_mean", pairs)
    to_onnx(ExportableModel(with_softmax(one), {"input": TEXTS}, "probabilities", ("input",)), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for tokens in (torch.randint(1, 12, (1, 9)), torch.randint(1, 12, (7, 2)), TEXTS):
        with torch.no_grad():
            expected = one(tokens).softmax(1).numpy()
        (found,) = session.run(None, {"input": tokens.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "pooling", "message"), [("elman", "last", "unknown cell 'elman'"), ("none", "last", "'last' with")]
)
def test_what_does_not_exist_is_said(cell: str, pooling: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recurrent(12, 2, cell, 3, 4, pooling=pooling)  # type: ignore[arg-type]


def test_a_net_that_starts_as_keras_has_the_first_weights_of_its_layers() -> None:
    torch.manual_seed(0)
    net = Recurrent(1000, 2, "gru", 32, 16, init="keras")
    weights = {name: weight.detach() for name, weight in net.named_parameters()}
    kernel, recurrent = weights["ways.0.weight_ih_l0"], weights["ways.0.weight_hh_l0"]
    assert not torch.any(weights["embedding.weight"][0])
    assert 0.049 < float(weights["embedding.weight"].abs().max()) <= 0.05
    assert 0.9 < float(kernel.abs().max()) / (6 / (32 + 3 * 16)) ** 0.5 <= 1  # Glorot's limit, of all three gates
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(16), atol=1e-5, rtol=0)
    assert not any(torch.any(bias) for name, bias in weights.items() if "bias" in name)
    with pytest.raises(ConfigError, match="init"):
        Recurrent(1000, 2, "gru", 32, 16, init="zeros")  # type: ignore[arg-type]
