"""The translator's parts by hand and against torch's own; its two ways of answering against each other."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.seq2seq import Attention, Encoder, Seq2Seq
from pipeline.types import END

WORDS = torch.tensor([[5, 6, 7, 8, 9], [3, 4, 0, 0, 0], [2, 0, 0, 0, 0]])


def net(seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    return Seq2Seq(symbols=12, steps=6, embedding=4, hidden=5).eval()


def padded(source: Tensor, more: int) -> Tensor:
    return nn.functional.pad(source, (0, more))


def test_parameters_are_those_counted_by_hand() -> None:
    reads = 3 * (5 * 4 + 5 * 5 + 2 * 5)  # reset, update, new: from the input, from the state, two biases
    writes = 3 * (5 * (4 + 5) + 5 * 5 + 2 * 5)  # the input is wider: it holds what was seen
    attention, combine, project, start = 10 * 5, 5 * 15 + 5, 12 * 5 + 12, 5 * 10 + 5
    expected = 2 * 12 * 4 + 2 * reads + writes + attention + combine + project + start
    assert sum(parameter.numel() for parameter in net().parameters()) == expected


def test_the_encoder_equals_torchs_bidirectional_gru_on_each_word_alone() -> None:
    encoder = Encoder(symbols=12, embedding=4, hidden=5)
    both = nn.GRU(4, 5, batch_first=True, bidirectional=True)
    for suffix, own in (("", encoder.forwards), ("_reverse", encoder.backwards)):
        for name, value in own.named_parameters():
            getattr(both, name + suffix).data.copy_(value)
    memory, whole = encoder(WORDS)
    for row, length in enumerate([5, 2, 1]):
        expected, last = both(encoder.embed(WORDS[row : row + 1, :length]))
        torch.testing.assert_close(memory[row : row + 1, :length], expected)
        torch.testing.assert_close(whole[row], last.flatten())


@pytest.mark.parametrize("more", [1, 4])
def test_padding_after_the_last_letter_changes_nothing(more: int) -> None:
    logits, weights = net().greedy(WORDS)
    padded_logits, padded_weights = net().greedy(padded(WORDS, more))
    torch.testing.assert_close(padded_logits, logits)
    torch.testing.assert_close(padded_weights, padded(weights, more))


def test_a_word_is_answered_the_same_alone_and_among_others() -> None:
    torch.testing.assert_close(net()(WORDS)[1:2], net()(WORDS[1:2, :2]))


def test_attention_by_hand() -> None:
    attend = Attention(hidden=1, memory=2)
    attend.query.weight.data = torch.tensor([[1.0], [0.0]])  # asks for the memory's first number
    memory = torch.tensor([[[0.0, 10.0], [1.0, 20.0], [9.0, 99.0]]])
    mask = torch.tensor([[True, True, False]])
    # A state of ln 3 scores 0 and ln 3: weights 1/4 and 3/4, and none for the masked place.
    context, weights = attend(torch.tensor([[[3.0]]]).log(), memory, mask)
    torch.testing.assert_close(weights, torch.tensor([[[0.25, 0.75, 0.0]]]))
    torch.testing.assert_close(context, torch.tensor([[[0.75, 17.5]]]))


def test_attention_weights_sum_to_one_and_leave_out_padding() -> None:
    _, weights = net().greedy(WORDS)
    assert weights.shape == (3, 6, 5)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 6))
    assert not weights[1, :, 2:].any()


@pytest.mark.parametrize("seed", range(5))
def test_being_taught_ones_own_answer_gives_the_logits_of_giving_it(seed: int) -> None:
    model = net(seed)
    logits = model(WORDS)
    torch.testing.assert_close(model.teacher_forcing(WORDS, logits.argmax(dim=2)), logits)


def test_a_taught_step_depends_on_the_true_symbols_before_it_alone() -> None:
    one = torch.tensor([[2, 3, 4, END]]).expand(3, -1)
    other = torch.tensor([[2, 3, 9, END]]).expand(3, -1)
    differs = (net().teacher_forcing(WORDS, one) != net().teacher_forcing(WORDS, other)).any(dim=2)
    assert differs.tolist() == [[False, False, False, True]] * 3


def test_what_was_seen_is_fed_back() -> None:
    decoder, memory, mask = net().decoder, torch.rand(1, 3, 10), torch.ones(1, 3, dtype=torch.bool)
    own, seen = torch.rand(1, 1, 5), torch.rand(1, 1, 5, requires_grad=True)
    logits, _, _ = decoder(torch.tensor([[END]]), (own, seen), memory, mask)
    (gradient,) = torch.autograd.grad(logits.sum(), seen)
    assert gradient.all()


def test_the_gradient_is_that_of_finite_differences() -> None:
    model = net().double()
    target = torch.tensor([[2, 3, END], [4, END, 0], [END, 0, 0]])
    weight = model.decoder.attend.query.weight
    model.teacher_forcing(WORDS, target).square().sum().backward()
    assert weight.grad is not None
    step = 1e-6
    for place in ((0, 0), (7, 3)):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * step
                ends.append(model.teacher_forcing(WORDS, target).square().sum())
                weight[place] -= sign * step
        assert weight.grad[place].item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-5)


def test_a_row_of_nothing_but_padding_gives_numbers() -> None:
    assert net()(torch.zeros(2, 3, dtype=torch.long)).isfinite().all()
