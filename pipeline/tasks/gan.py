"""Adversarial training: a critic learns to tell real images from drawn ones, the net to draw what it takes for real.

Sources: Goodfellow et al. 2014, arXiv:1406.2661 (both losses; the net's is the non-saturating one); Mescheder, Geiger,
Nowozin 2018, arXiv:1801.04406 (R1); Karras et al. 2020, arXiv:1912.04958 (R1 at every few steps only).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.tasks.task import Task

# B batch, Z noise, C channel, H height, W width
LOSSES = ("loss", "critic_loss", "generator_loss")
SAMPLES_PER_CLASS = 10


class GAN(Task):
    """Train the generator `net`, (noise_BZ, labels_B) -> images_BCHW, against `critic`, (images, labels_B) -> logits_B.

    At each validation the net draws `samples` from the same noise, ten of each class: (10 x class, H, W).
    Both learn at every step from one backward pass, each from its own loss only. Every `r1_every` steps the critic's
    slope at real images is penalised, with weight `r1` on average over the steps; 0 leaves that out.
    """

    net: Any  # a module that tells how many numbers of `noise` it takes, and how many `classes` it knows

    def __init__(
        self,
        net: nn.Module,
        critic: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        r1: float = 0.0,
        r1_every: int = 16,
    ):
        super().__init__(net, optimizer, schedule)
        self.critic, self.r1, self.r1_every = critic, r1, r1_every

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images_BCHW, labels_B = batch
        drawn_BCHW = self.net(torch.randn(len(labels_B), self.net.noise, device=images_BCHW.device), labels_B)
        critic_loss = self.critic_loss(images_BCHW, drawn_BCHW.detach(), labels_B)
        generator_loss = self.generator_loss(drawn_BCHW, labels_B)
        losses = torch.stack([critic_loss + generator_loss, critic_loss, generator_loss])
        self.add("train", *losses, 1)
        if self.r1 and batch_idx % self.r1_every == 0:
            return losses[0] + self.r1 * self.r1_every * slope_penalty(self.critic, images_BCHW, labels_B)
        return losses[0]

    def critic_loss(self, real_BCHW: Tensor, drawn_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        """Cross-entropy of telling real from drawn."""
        real_B, drawn_B = self.critic(real_BCHW, labels_B), self.critic(drawn_BCHW, labels_B)
        return F.softplus(-real_B).mean() + F.softplus(drawn_B).mean()

    def generator_loss(self, drawn_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        """Cross-entropy of being taken for real; its gradient passes through the critic but not into it."""
        self.critic.requires_grad_(False)
        loss = F.softplus(-self.critic(drawn_BCHW, labels_B)).mean()
        self.critic.requires_grad_(True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        # There is no loss to validate: it tells how far one net is ahead of the other, not how good the images are.
        if batch_idx == 0:
            labels_N = torch.arange(self.net.classes, device=self.device).repeat_interleave(SAMPLES_PER_CLASS)
            noise_NZ = torch.randn(len(labels_N), self.net.noise, generator=torch.Generator().manual_seed(0))
            images_NCHW = self.net(noise_NZ.to(self.device), labels_N)
            self.samples = (images_NCHW[:, 0] * 255).round().byte().cpu()

    def on_train_epoch_end(self) -> None:
        """Means over the epoch's batches."""
        *losses, count = self.total("train", 4)
        self.log_dict({f"train/{name}": loss / count for name, loss in zip(LOSSES, losses, strict=True)})


def slope_penalty(critic: nn.Module, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
    """R1: half the mean squared length of the gradient of the critic's logit at real images."""
    inputs = images_BCHW.detach().requires_grad_()
    (slopes_BCHW,) = torch.autograd.grad(critic(inputs, labels_B).sum(), inputs, create_graph=True)
    return slopes_BCHW.square().flatten(1).sum(dim=1).mean() / 2
