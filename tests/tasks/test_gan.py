"""Adversarial training: each net learns from its own loss only, and the penalty is what its formula says."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config import load_config, resolve
from pipeline.models.gan import Discriminator, Generator
from pipeline.runs import checkpoints, events
from pipeline.tasks.gan import GAN, r1_penalty
from pipeline.training.fit import fit

BATCH = torch.rand(6, 1, 8, 8, dtype=torch.double), torch.tensor([0, 1, 2, 2, 1, 0])


def task(r1: float = 0.0) -> GAN:
    torch.manual_seed(0)
    net, critic = Generator([1, 8, 8], 3, noise=4, channels=[6, 4]), Discriminator([1, 8, 8], 3, channels=[4, 6])
    return GAN(net, critic, partial(torch.optim.SGD, lr=0.1), r1=r1, r1_every=2).double()


def gradients(module: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]


def step(model: GAN, batch_idx: int = 1) -> Tensor:
    """One seeded step; the default generator's numbers are of the double precision the nets have here."""
    torch.set_default_dtype(torch.double)
    try:
        torch.manual_seed(7)
        loss = model.training_step(BATCH, batch_idx)
        loss.backward()
    finally:
        torch.set_default_dtype(torch.float)
    return loss


def drawn(model: GAN) -> Tensor:
    """What `step` drew."""
    torch.manual_seed(7)
    images: Tensor = model.net(torch.randn(6, 4, dtype=torch.double), BATCH[1])
    return images


def test_the_critics_gradient_is_that_of_telling_real_from_drawn_alone() -> None:
    model, alone = task(), task()
    step(model)
    images, labels = BATCH
    scores = torch.cat([alone.critic(images, labels), alone.critic(drawn(alone).detach(), labels)])
    truth = torch.cat([torch.ones(6), torch.zeros(6)]).double()
    (2 * F.binary_cross_entropy_with_logits(scores, truth)).backward()
    torch.testing.assert_close(gradients(model.critic), gradients(alone.critic))


def test_the_generators_gradient_is_that_of_being_taken_for_real_alone() -> None:
    model, alone = task(), task()
    step(model)
    scores = alone.critic(drawn(alone), BATCH[1])
    F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores)).backward()
    torch.testing.assert_close(gradients(model.net), gradients(alone.net))


def test_every_parameter_learns_at_every_step() -> None:
    model = task(r1=1.0)
    for batch_idx in range(2):
        model.zero_grad()
        step(model, batch_idx)
        assert all(p.requires_grad and p.grad is not None and p.grad.any() for p in model.parameters())


def test_the_r1_penalty_of_a_linear_critic_is_half_its_squared_weights() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([3.0, -4.0]))

        def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
            return inputs @ self.weight

    critic = Linear()
    penalty = r1_penalty(critic, torch.rand(5, 2), torch.zeros(5))
    penalty.backward()
    assert penalty.item() == pytest.approx((9 + 16) / 2)
    assert critic.weight.grad is not None
    assert critic.weight.grad.tolist() == pytest.approx([3, -4])


def test_the_r1_penalty_equals_finite_differences() -> None:
    critic, (images, labels) = task().critic, BATCH
    moves = 1e-6 * torch.eye(6 * 64, dtype=torch.double).view(-1, *images.shape)  # one pixel of one image
    with torch.no_grad():
        sums = [[critic(images + move, labels).sum() for move in way] for way in (moves, -moves)]
    slopes = (torch.tensor(sums[0]) - torch.tensor(sums[1])).view(6, 64) / 2e-6
    assert r1_penalty(critic, images, labels).item() == pytest.approx((slopes**2).sum(1).mean().item() / 2, rel=1e-5)


def test_the_lazy_penalty_has_its_weight_on_average_over_the_steps() -> None:
    model, plain = task(r1=0.5), task()
    extra = [(step(model, index) - step(plain, index)).item() for index in range(4)]
    penalty = r1_penalty(plain.critic, *BATCH).item()
    assert extra == pytest.approx([0.5 * 2 * penalty, 0, 0.5 * 2 * penalty, 0])
    assert sum(extra) / 4 == pytest.approx(0.5 * penalty)


def test_validation_draws_the_same_noise_ten_times_a_class_and_leaves_the_default_generator_alone() -> None:
    model = task().float().eval()
    before, batch = torch.get_rng_state(), (torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))
    with torch.no_grad():
        model.validation_step(batch, 0)
        first = model.samples
        model.validation_step(batch, 0)
    assert first is not None
    assert model.samples is not None
    assert first.shape == (30, 8, 8)
    assert first.dtype == torch.uint8
    assert torch.equal(first, model.samples)
    assert torch.equal(before, torch.get_rng_state())


def test_a_run_stopped_after_an_epoch_ends_with_the_same_averaged_weights(tiny_mnist: Path) -> None:
    tiny = ["model=gan", "data.batch_size=16", "data.val_size=16", "model.net.channels=[4,4]", "trainer.max_epochs=2"]
    tiny += ["model.critic.channels=[4,4]", "trainer.ema_decay=0.9", "trainer.checkpoint_every_s=0"]
    config = resolve(load_config(*tiny))
    config["cluster"]["gpus_per_worker"] = 0
    whole, resumed = tiny_mnist / "whole", tiny_mnist / "resumed"
    whole.mkdir()
    first = fit(config, data_dir=tiny_mnist / "data", run_dir=whole)
    stopped_at = min((whole / "checkpoints").iterdir())
    shutil.copytree(stopped_at, resumed / "checkpoints" / stopped_at.name)
    second = fit(config, data_dir=tiny_mnist / "data", run_dir=resumed)
    assert len(events.read(resumed)[0]) < len(events.read(whole)[0])
    assert {"train/loss", "train/critic_loss", "train/generator_loss"} <= set(first.metrics)
    files = [checkpoints.verify(result.model_dir)["files"] for result in (first, second)]
    assert files[0][checkpoints.MODEL] == files[1][checkpoints.MODEL]
