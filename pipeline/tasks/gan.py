"""Adversarial training: a discriminator learns to tell real from generated images, the generator to deceive it.

Sources: Goodfellow et al. 2014, arXiv:1406.2661 (both losses; the generator's is the non-saturating one); Mescheder,
Geiger, Nowozin 2018, arXiv:1801.04406 (R1); Karras et al. 2020, arXiv:1912.04958 (lazy regularisation).
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
    """Train a generator and a discriminator against each other.

    `net` is the generator, (noise_BZ, labels_B) -> images_BCHW; `critic` the discriminator, (images_BCHW, labels_B) ->
    logits_B.
    Both are updated at every step, each by the gradient of its own loss. Every `r1_every` steps the R1 gradient penalty
    is added, with weight `r1` on average over the steps; 0 leaves it out. At each validation the generator makes
    `samples` from the same noise, ten of each class: (10 K, H, W).
    """

    net: Any  # a module with the attributes `noise` (Z) and `classes` (K)

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
        fake_BCHW = self.net(torch.randn(len(labels_B), self.net.noise, device=images_BCHW.device), labels_B)
        critic_loss = self.critic_loss(images_BCHW, fake_BCHW.detach(), labels_B)
        generator_loss = self.generator_loss(fake_BCHW, labels_B)
        losses = torch.stack([critic_loss + generator_loss, critic_loss, generator_loss])
        self.add("train", *losses, 1)
        if self.r1 and batch_idx % self.r1_every == 0:
            return losses[0] + self.r1 * self.r1_every * r1_penalty(self.critic, images_BCHW, labels_B)
        return losses[0]

    def critic_loss(self, real_BCHW: Tensor, fake_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        """Binary cross-entropy of the discriminator on real and generated images."""
        real_B, fake_B = self.critic(real_BCHW, labels_B), self.critic(fake_BCHW, labels_B)
        return F.softplus(-real_B).mean() + F.softplus(fake_B).mean()

    def generator_loss(self, fake_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        """Non-saturating loss; its gradient passes through the discriminator without reaching its weights."""
        self.critic.requires_grad_(False)
        loss = F.softplus(-self.critic(fake_BCHW, labels_B)).mean()
        self.critic.requires_grad_(True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        # No loss is validated: it measures which of the two nets is ahead, not how good the images are.
        if batch_idx == 0:
            labels_N = torch.arange(self.net.classes, device=self.device).repeat_interleave(SAMPLES_PER_CLASS)
            noise_NZ = torch.randn(len(labels_N), self.net.noise, generator=torch.Generator().manual_seed(0))
            images_NCHW = self.net(noise_NZ.to(self.device), labels_N)
            self.samples = (images_NCHW[:, 0] * 255).round().byte().cpu()

    def on_train_epoch_end(self) -> None:
        """Means over the epoch's batches."""
        *losses, count = self.total("train", 4)
        self.log_dict({f"train/{name}": loss / count for name, loss in zip(LOSSES, losses, strict=True)})


def r1_penalty(critic: nn.Module, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
    """R1: half the mean squared norm of the gradient of the discriminator's logit at real images."""
    inputs = images_BCHW.detach().requires_grad_()
    (gradients_BCHW,) = torch.autograd.grad(critic(inputs, labels_B).sum(), inputs, create_graph=True)
    return gradients_BCHW.square().flatten(1).sum(dim=1).mean() / 2
