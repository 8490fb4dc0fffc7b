"""What a classifier learns from and reports."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from pipeline.tasks.classification import Classification


def task(label_smoothing: float = 0.0) -> Classification:
    torch.manual_seed(0)
    return Classification(nn.Linear(4, 3), partial(torch.optim.SGD, lr=0.1), label_smoothing=label_smoothing)


def test_the_loss_is_the_mean_negative_log_likelihood() -> None:
    model = task()
    nn.init.zeros_(model.net.weight)  # type: ignore[arg-type]
    nn.init.zeros_(model.net.bias)  # type: ignore[arg-type]
    loss = model.training_step((torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])), 0)
    assert loss.item() == pytest.approx(math.log(3), abs=1e-6)


def test_label_smoothing_mixes_in_the_uniform_distribution() -> None:
    inputs, labels = torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])
    log_probabilities = task().net(inputs).log_softmax(1)
    target = 0.9 * nn.functional.one_hot(labels, 3) + 0.1 / 3
    expected = -(target * log_probabilities).sum(1).mean()
    assert task(label_smoothing=0.1).training_step((inputs, labels), 0).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_where_a_teacher_answered_the_log_odds_are_learned_and_elsewhere_the_label() -> None:
    model = Classification(nn.Identity(), partial(torch.optim.SGD, lr=0.1), logit_match_weight=0.2)
    logits = torch.tensor([[5.0, 2.0], [2.0, 5.0], [0.0, 0.0]])
    told = 1 / (1 + math.exp(-1))  # log-odds of 1, where the net has -3
    shares = torch.tensor([[1 - told, told], [1.0, 0.0], [0.001, 0.999]])
    expected = [0.2 * (1 - -3) ** 2 / 2, math.log(1 + math.exp(3)), 0.2 * math.log(0.999 / 0.0025) ** 2 / 2]
    assert model.training_step((logits, shares), 0).item() == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_epoch_metrics_are_means_over_samples_not_over_batches() -> None:
    model = task()
    batches: Any = [(torch.rand(n, 4), torch.randint(0, 3, (n,))) for n in (7, 2)]
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    found = trainer.validate(model, torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)[0]
    inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    logits = model.net(inputs)
    assert found["val/loss"] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert found["val/accuracy"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
