"""What a text without a label teaches, on a net whose steepest way is known."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.models.recurrent import Recurrent
from pipeline.runs import checkpoints
from pipeline.tasks.vat import VirtualAdversarial
from tests.tasks.test_language_modelling import LANGUAGE, SMALL, run, weights_twice

VIRTUAL = ["experiment=imdb_lstm_vat", *SMALL, "trainer.max_epochs=1"]
TEXTS_BT = torch.tensor([[5, 9, 2, 3], [7, 2, 0, 0], [4, 0, 0, 0]])


class Mean(nn.Module):
    """Its logits are linear in the mean of the word vectors: the steepest way is the same at each word."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 3, padding_idx=0)
        self.head = nn.Linear(3, 2)

    def forward(self, tokens_BT: Tensor, perturbation_BTE: Tensor | None = None) -> Tensor:
        words_BTE = self.embedding(tokens_BT) + (0 if perturbation_BTE is None else perturbation_BTE)
        real_BT1 = (tokens_BT != 0).unsqueeze(2)
        logits_BK: Tensor = self.head((words_BTE * real_BT1).sum(dim=1) / real_BT1.sum(dim=1))
        return logits_BK


def task(net: nn.Module, **settings: Any) -> VirtualAdversarial:
    return VirtualAdversarial(net, partial(torch.optim.SGD, lr=0.1), **settings)


def test_a_text_is_moved_the_way_that_changes_the_answer_most() -> None:
    torch.manual_seed(0)
    net = Mean()
    found_B = task(net, vat_epsilon=0.3).vat_loss(TEXTS_BT).detach()
    for tokens_T, found in zip(TEXTS_BT, found_B, strict=True):
        words_NE = net.embedding(tokens_T[tokens_T != 0]).detach()
        # All N words by the same step along the difference of the classes' weights: N ** .5 times a step in length.
        along_E = F.normalize(net.head.weight[1] - net.head.weight[0], dim=0)
        step = 0.3 * words_NE.norm() / len(words_NE) ** 0.5
        still, *moved = (
            net.head(words_NE.mean(dim=0) + side * step * along_E).softmax(dim=0).detach() for side in (0.0, 1.0, -1.0)
        )
        apart = [float((still * (still / other).log()).sum()) for other in moved]
        assert min(abs(float(found) - one) for one in apart) < 1e-4 * max(apart)


def test_a_text_that_is_not_moved_loses_the_same_words_and_states_in_each_pass() -> None:
    torch.manual_seed(0)
    net = Recurrent(10, 2, "lstm", 4, 3, bidirectional=True, pooling="max_mean", dropout=0.5, word_dropout=0.5)
    before = torch.get_rng_state()
    assert torch.equal(task(net, vat_epsilon=0.0).vat_loss(TEXTS_BT), torch.zeros(3))
    assert not torch.equal(before, torch.get_rng_state())  # the next step's are others
    assert float(task(net, vat_epsilon=0.1).vat_loss(TEXTS_BT).min().detach()) > 0


@pytest.mark.parametrize("known", [0, 1, 3])
def test_each_text_adds_its_own_loss_and_its_gradient_reaches_every_weight(known: int) -> None:
    torch.manual_seed(0)
    ours = task(Mean(), vat_epsilon=0.2, label_smoothing=0.1)
    labels_BK = F.one_hot(torch.tensor([1, 0, 1]), 2).float()
    labels_BK[known:] = 0
    torch.manual_seed(1)
    loss = ours.training_step((TEXTS_BT, labels_BK), 0)
    torch.manual_seed(1)
    learned = F.cross_entropy(ours.net(TEXTS_BT[:known]), labels_BK[:known], label_smoothing=0.1, reduction="sum")
    moved = ours.vat_loss(TEXTS_BT[known:]).sum() if known < 3 else 0
    torch.testing.assert_close(loss, (learned + moved) / 3)
    loss.backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in ours.net.parameters())


def test_it_goes_on_from_a_checkpoint_to_the_same_weights(tiny_imdb: Path) -> None:
    run(tiny_imdb, "lm", *LANGUAGE)
    checkpoints.copy(tiny_imdb / "lm/model", tiny_imdb / "virtual" / checkpoints.INIT_FROM)
    first, second = weights_twice(tiny_imdb, "virtual", *VIRTUAL)
    assert first == second
