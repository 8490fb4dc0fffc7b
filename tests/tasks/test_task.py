"""Optimisers and schedules of torch, as a task takes them from a configuration."""

from typing import Any

import pytest
import torch
from torch import nn

from pipeline.config import build
from pipeline.errors import ConfigError
from pipeline.tasks.classification import Classification

STEPS = 40
OPTIMISERS = "Adadelta Adafactor Adagrad Adam AdamW Adamax ASGD Muon NAdam RAdam RMSprop Rprop SGD"


def task(optimizer: str, schedule: dict[str, Any] | None = None, **settings: Any) -> Classification:
    node: dict[str, Any] = {"_target_": "pipeline.tasks.classification.Classification"}
    node["optimizer"] = {"_target_": f"torch.optim.{optimizer}", "_partial_": True, **settings}
    if schedule:
        node["schedule"] = {
            **schedule,
            "_target_": f"torch.optim.lr_scheduler.{schedule['_target_']}",
            "_partial_": True,
        }
    torch.manual_seed(0)
    made: Classification = build(node, net=nn.Sequential(nn.Linear(2, 4, bias=False), nn.Linear(4, 2, bias=False)))
    made.total_steps = STEPS
    return made


def rates(schedule: dict[str, Any], lr: float = 1.0) -> list[float]:
    """The learning rate of each step of the run."""
    made: Any = task("SGD", schedule, lr=lr).configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("name", OPTIMISERS.split())
def test_every_optimiser_of_torch_lowers_the_loss_of_a_step(name: str) -> None:
    trained = task(name, lr=0.05)
    optimizer: Any = trained.configure_optimizers()
    batch = torch.tensor([[1.0, 0.5], [-1.0, 0.2]]), torch.tensor([0, 1])
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = trained._loss(trained.logits(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_schedules_length_is_the_runs_unless_it_is_given() -> None:
    cosine = rates({"_target_": "CosineAnnealingLR"})
    assert cosine[STEPS // 2] == pytest.approx(0.5)  # cos(pi / 2) = 0
    assert rates({"_target_": "CosineAnnealingLR", "T_max": 10})[5] == pytest.approx(0.5)
    linear = rates({"_target_": "LinearLR", "start_factor": 1.0, "end_factor": 0.5})
    assert linear[STEPS // 2] == pytest.approx(0.75)
    one_cycle = rates({"_target_": "OneCycleLR", "max_lr": 2.0, "pct_start": 0.25, "anneal_strategy": "linear"})
    assert max(one_cycle) == one_cycle[STEPS // 4 - 1] == pytest.approx(2.0)
    assert rates({"_target_": "StepLR", "step_size": 10})[10] == pytest.approx(0.1)


def test_what_an_optimiser_or_a_schedule_refuses_is_an_error_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"model\.optimizer: Invalid beta parameter at index 0: 2"):
        task("Adam", lr=0.1, betas=[2, 0.9]).configure_optimizers()
    with pytest.raises(ConfigError, match=r"model\.schedule: .*step_size"):
        task("SGD", {"_target_": "StepLR"}, lr=0.1).configure_optimizers()
