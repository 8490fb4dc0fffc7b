"""The language model against torch's own cross-entropy, one text and one way at a time; its estimate; padding."""

import pytest
import torch
from torch.nn import functional as F

from pipeline.models.language import LanguageModel

TEXTS = torch.tensor([[5, 3, 9, 2, 4], [7, 2, 11, 0, 0], [1, 0, 0, 0, 0]])
V = 12


def net(both: bool = True, common: int = 4, sampled: int = 3) -> LanguageModel:
    torch.manual_seed(0)
    made = LanguageModel(V, "lstm", embedding=3, hidden=4, bidirectional=both, common=common, sampled=sampled).double()
    torch.nn.init.normal_(made.bias_V)
    return made


@torch.no_grad()
def by_hand(model: LanguageModel) -> float:
    """Each way over each text alone, without its padding: from the words so far, the next."""
    total = 0.0
    for row in TEXTS:
        text = row[row > 0]
        for way, (layer, guess) in enumerate(zip(model.ways, model.guesses, strict=True)):
            read = text.flip(0) if way else text
            states_1TH = layer(model.embedding(read).unsqueeze(0))[0]
            logits_TV = guess(states_1TH[0]) @ model.embedding.weight.T + model.bias_V
            total += float(F.cross_entropy(logits_TV[:-1], read[1:], reduction="sum")) if len(read) > 1 else 0.0
    return total


@pytest.mark.parametrize(("both", "guessed"), [(False, 4 + 2), (True, 2 * (4 + 2))])
def test_surprise_is_the_cross_entropy_of_every_word_that_has_a_neighbour(both: bool, guessed: int) -> None:
    with torch.no_grad():
        nats, words = net(both).nll(TEXTS, exact=True)
    assert int(words) == guessed
    assert float(nats) == pytest.approx(by_hand(net(both)), rel=1e-6)


def test_the_net_itself_says_the_word_after_each() -> None:
    model = net(both=False)
    logits_BTV = model(TEXTS)
    assert logits_BTV.shape == (3, 5, V)
    own = F.cross_entropy(logits_BTV[0, :-1], TEXTS[0, 1:], reduction="sum")
    own += F.cross_entropy(logits_BTV[1, :2], TEXTS[1, 1:3], reduction="sum")
    torch.testing.assert_close(model.nll(TEXTS, exact=True)[0].double(), own, rtol=1e-6, atol=1e-6)


def gradient(model: LanguageModel, exact: bool) -> torch.Tensor:
    model.zero_grad()
    model.nll(TEXTS, exact=exact)[0].backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


@pytest.mark.parametrize("common", [1, 4, V])
def test_with_every_word_drawn_the_estimate_is_exact_and_so_is_its_gradient(common: int) -> None:
    model = net(common=common, sampled=V - common)
    for part in (model.nll, lambda tokens, exact: (gradient(model, exact),)):
        torch.testing.assert_close(part(TEXTS, False)[0], part(TEXTS, True)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("word", [1, 9])  # common; rare, so that it may be drawn as its own rival
def test_the_sum_over_all_words_is_estimated_without_bias_though_each_draw_differs(word: int) -> None:
    model = net(both=False, common=2, sampled=6)
    text = torch.tensor([[5, word]])
    with torch.no_grad():
        sums = torch.stack([model.nll(text, exact=False)[0].exp() for _ in range(2000)])
        exact = model.nll(text, exact=True)[0].exp()
    error = sums.std() / 2000**0.5
    assert error > 0.001 * exact
    assert abs(sums.mean() - exact) < 4 * error


def test_a_batch_is_as_surprising_as_its_texts_alone() -> None:
    model = net()
    alone = [model.nll(row[row > 0].unsqueeze(0), exact=True) for row in TEXTS]
    together = model.nll(TEXTS, exact=True)
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(whole, torch.stack(parts).sum())


def test_padding_has_no_vector_and_gets_none() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.nll(TEXTS, exact=True)[0].backward()
    optimizer.step()
    assert model.embedding.weight[0].eq(0).all()
    assert model.embedding.weight[1:].ne(net().embedding.weight[1:]).any(dim=1).all()


def test_before_it_learns_anything_it_expects_each_word_as_often_as_it_occurs() -> None:
    model = net()
    for guess in model.guesses:
        torch.nn.init.zeros_(guess.weight)  # type: ignore[arg-type]
        torch.nn.init.zeros_(guess.bias)  # type: ignore[arg-type]
    shares_V = torch.arange(1, V + 1) / 78
    model.init_unigram_bias(shares_V)
    with torch.no_grad():
        nats, _ = model.nll(TEXTS, exact=True)
        said = torch.tensor([5, 3, 9, 2, 3, 9, 2, 4, 7, 2, 2, 11])  # of each text all but its first, all but its last
    torch.testing.assert_close(nats.float(), -shares_V[said].log().sum())
