"""What a translator learns from and reports."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from pipeline.tasks.seq2seq import Translation
from pipeline.types import END


class Says(nn.Module):
    """A net whose answer is fixed: certain of it when asked, undecided between 4 symbols when taught."""

    def __init__(self, answer_BT: list[list[int]]):
        super().__init__()
        self.answer_BT = torch.tensor(answer_BT)
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, source_BS: Tensor) -> Tensor:
        return nn.functional.one_hot(self.answer_BT[: len(source_BS)], 4).float()

    def teacher_forcing(self, source_BS: Tensor, target_BT: Tensor) -> Tensor:
        return self.bias.expand(*target_BT.shape, 4)


def task(answer_BT: list[list[int]]) -> Translation:
    return Translation(Says(answer_BT), partial(torch.optim.SGD, lr=0.1))


def validated(model: Translation, batches: Any) -> Any:
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return trainer.validate(model, torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)[0]


def test_the_loss_is_the_mean_negative_log_likelihood_of_symbols_without_padding() -> None:
    model = task([[2]])
    model.net.bias.data = torch.tensor([9.0, 0.0, 0.0, 0.0])  # padding is likely, but never asked for
    target = torch.tensor([[2, END], [END, 0]])
    loss = model.training_step((torch.ones(2, 1), target), 0)
    assert loss.item() == pytest.approx(math.log(math.exp(9) + 3), rel=1e-6)


def test_an_answer_is_exact_if_it_is_right_up_to_its_end_whatever_follows() -> None:
    target = torch.tensor([[2, 3, END], [2, END, 0], [2, END, 0], [2, 3, END]])
    answers = [
        [2, 3, END, 2, 2],
        [2, END, 3, 3, 3],
        [3, END, 0, 0, 0],  # a wrong letter
        [2, 3, 2, END, 0],  # an end too late
    ]
    assert validated(task(answers), [(torch.ones(4, 2), target)])["val/exact_match"] == 0.5


def test_epoch_metrics_are_means_over_symbols_and_words_not_over_batches() -> None:
    model = task([[2, END]] * 3)
    model.net.bias.data = torch.tensor([0.0, 0.0, 0.0, 1.0])
    found = validated(
        model,
        [
            (torch.ones(3, 1), torch.tensor([[2, END], [2, END], [3, END]])),
            (torch.ones(1, 1), torch.tensor([[END]])),
        ],
    )
    assert found["val/exact_match"] == pytest.approx(2 / 4)
    # Seven symbols, one of them the 3 whose logit is 1.
    assert found["val/loss"] == pytest.approx(math.log(3 + math.e) - 1 / 7)
