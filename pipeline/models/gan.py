"""Generative adversarial networks: generators and discriminators of images.

Sources: Goodfellow et al. 2014, arXiv:1406.2661; Radford, Metz, Chintala 2015, arXiv:1511.06434 (DCGAN).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError

# B batch, Z noise, C channel, H height, W width, F feature
SLOPE = 0.2  # negative slope of the leaky ReLUs, as in DCGAN


class Generator(nn.Module):
    """Conditional generator: (B, Z) standard normal noise, (B,) labels -> (B, C, H, W) in [0, 1].

    A linear layer gives `channels[0]` small maps; a transposed convolution for each of `channels` doubles height and
    width, up to `in_shape`, (C, H, W). In evaluation the noise is multiplied by `truncation`: below 1 images vary less
    and look more like their class (Brock, Donahue, Simonyan 2019, arXiv:1809.11096).

    Raises: ConfigError if the sides of `in_shape` can't be halved that often.
    """

    conditional = True

    def __init__(
        self,
        in_shape: Sequence[int],
        classes: int,
        noise: int = 64,
        channels: Sequence[int] = (48, 24),
        truncation: float = 1.0,
    ):
        super().__init__()
        self.noise, self.classes, self.truncation = noise, classes, truncation
        start = (channels[0], *_halved(in_shape, len(channels)))
        self.embed = nn.Embedding(classes, noise)
        layers: list[nn.Module] = [nn.Linear(2 * noise, math.prod(start), bias=False), nn.Unflatten(1, start)]
        layers += [nn.BatchNorm2d(channels[0]), nn.ReLU()]
        for before, after in pairwise(channels):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], in_shape[0], 4, 2, 1), nn.Sigmoid())
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def forward(self, noise_BZ: Tensor, labels_B: Tensor) -> Tensor:
        noise_BZ = noise_BZ if self.training else self.truncation * noise_BZ
        images_BCHW: Tensor = self.layers(torch.cat([noise_BZ, self.embed(labels_B)], dim=1))
        return images_BCHW


class Discriminator(nn.Module):
    """Projection discriminator: (B, C, H, W) in [0, 1], (B,) labels -> (B,) logits of being real.

    A convolution for each of `channels` halves height and width; `hidden` features follow, which the label's embedding
    is projected on (Miyato, Koyama 2018, arXiv:1802.05637). Minibatch standard deviation exposes mode collapse (Karras
    et al. 2018, arXiv:1710.10196); therefore a batch must be all real or all generated.

    Raises: ConfigError if the sides of `in_shape` can't be halved that often.
    """

    def __init__(self, in_shape: Sequence[int], classes: int, channels: Sequence[int] = (24, 48), hidden: int = 128):
        super().__init__()
        height, width = _halved(in_shape, len(channels))
        layers: list[nn.Module] = [nn.Conv2d(in_shape[0], channels[0], 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(SLOPE)]
        self.features = nn.Sequential(
            *layers,
            MinibatchStdDev(),
            nn.Flatten(),
            nn.Linear((channels[-1] + 1) * height * width, hidden),
            nn.LeakyReLU(SLOPE),
        )
        self.head, self.embed = nn.Linear(hidden, 1), nn.Embedding(classes, hidden)
        nn.init.normal_(
            self.embed.weight, std=hidden**-0.5
        )  # keeps the projection, a sum over `hidden` features, near 0 at first
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def forward(self, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        features_BF = self.features(images_BCHW.contiguous(memory_format=torch.channels_last))
        logits_B: Tensor = self.head(features_BF).squeeze(1) + (self.embed(labels_B) * features_BF).sum(dim=1)
        return logits_B


class MinibatchStdDev(nn.Module):
    """Append a constant map: the standard deviation over the batch, averaged over channels and positions."""

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        # Where all images are equal the gradient of the root would be infinite.
        spread = (maps_BCHW.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([maps_BCHW, spread.expand_as(maps_BCHW[:, :1])], dim=1)


class LectureGenerator(nn.Module):
    """Unconditional generator of the lecture: (B, Z) noise -> (B, 1, H, W) in [0, 1]; labels are ignored.

    Linear from 100 to 128 maps of 4x4, four transposed convolutions, sigmoid. The lecture gives the number of
    parameters, 250,144 at 1x8x8; widths, kernels and batch norm are chosen to match it.
    """

    conditional = False

    def __init__(self, in_shape: Sequence[int], classes: int, noise: int = 100):
        super().__init__()
        self.noise, self.classes = noise, classes
        channels = [128, 64, 32, 16]
        start = (channels[0], in_shape[1] - len(channels), in_shape[2] - len(channels))
        layers: list[nn.Module] = [nn.Linear(noise, math.prod(start)), nn.Unflatten(1, start), nn.ReLU()]
        for before, after in pairwise(channels):
            layers += [nn.ConvTranspose2d(before, after, 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], 1, 2, bias=False), nn.Sigmoid())

    def forward(self, noise_BZ: Tensor, labels_B: Tensor) -> Tensor:
        images_BCHW: Tensor = self.layers(noise_BZ)
        return images_BCHW


class LectureDiscriminator(nn.Module):
    """Unconditional discriminator of the lecture: (B, 1, H, W) in [0, 1] -> (B,) logits of being real.

    Three convolutions and a linear layer, 56,097 parameters at 1x8x8. See `LectureGenerator`.
    """

    def __init__(self, in_shape: Sequence[int]):
        super().__init__()
        channels = [32, 64, 64]
        height, width = (side - 2 * len(channels) for side in in_shape[1:])
        layers: list[nn.Module] = [nn.Conv2d(1, channels[0], 3, bias=False), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * height * width, 1))

    def forward(self, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        logits_B: Tensor = self.layers(images_BCHW).squeeze(1)
        return logits_B


def _halved(in_shape: Sequence[int], times: int) -> tuple[int, int]:
    height, width = in_shape[1:]
    if height % 2**times or width % 2**times:
        raise ConfigError(
            f"model: {times} channels need images whose sides can be halved {times} times, got {height}x{width}. "
            "Set data.in_shape, or fewer model.net.channels and model.critic.channels."
        )
    return height // 2**times, width // 2**times
