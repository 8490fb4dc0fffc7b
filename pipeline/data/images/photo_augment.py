"""Augmentation of batches of photographs: crops, flips, rotations, colour jitter, erased squares."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# n samples, B batch, C channel, H height, W width


class PhotoAugment:
    """Random resized crop with rotation, flip, colour jitter and random erasing.

    A crop has `min_area` to all of the image's area, its aspect ratio changed by up to `max_aspect_ratio`; it is
    rotated by up to `rotate_deg` and flipped half of the times. `brightness` bounds the change of contrast and,
    halved, that of brightness, `saturation` that of saturation. A square of `erase` x the image's side is made grey.

    Sources: Szegedy et al. 2015, arXiv:1409.4842 (random crops); DeVries, Taylor 2017, arXiv:1708.04552 (cutout).
    """

    def __init__(
        self,
        min_area: float,
        max_aspect_ratio: float = 1.2,
        rotate_deg: float = 10.0,
        brightness: float = 0.3,
        saturation: float = 0.4,
        erase: float = 0.0,
    ):
        self.min_area, self.max_aspect_ratio, self.rotate = min_area, max_aspect_ratio, math.radians(rotate_deg)
        self.brightness, self.saturation, self.erase = brightness, saturation, erase

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, 11) random numbers in [-1, 1] for `__call__`, one row a sample."""
        return torch.rand(n, 11, generator=generator).mul_(2).sub_(1)

    def __call__(self, images_BCHW: Tensor, noise: Tensor) -> Tensor:
        area, ratio, angle, right, down, mirror, bright, contrast, saturation, *hole = noise.unbind(1)
        side = torch.exp(math.log(self.min_area) * (1 + area) / 4)  # root of the area, log-uniform
        half_stretch = torch.exp(math.log(self.max_aspect_ratio) * ratio / 2)
        wide, tall = (side * half_stretch).clamp(max=1), (side / half_stretch).clamp(max=1)
        cos, sin = torch.cos(self.rotate * angle), torch.sin(self.rotate * angle)
        across = wide * mirror.sign()  # mirrored last, so that a mirrored picture is rotated and not sheared
        affine = torch.stack(
            [across * cos, -tall * sin, right * (1 - wide), across * sin, tall * cos, down * (1 - tall)], dim=1
        ).view(-1, 2, 3)
        grid = F.affine_grid(affine, list(images_BCHW.shape), align_corners=False)
        images = F.grid_sample(images_BCHW, grid, padding_mode="reflection", align_corners=False)
        images = self._jitter_colours(images, *(amount.view(-1, 1, 1, 1) for amount in (bright, contrast, saturation)))
        return self._erase(images, torch.stack(hole, dim=1)) if self.erase else images

    def _jitter_colours(self, images: Tensor, bright: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (images - mean) * (1 + self.brightness * contrast) + mean + self.brightness / 2 * bright
        grey = images.mean(dim=1, keepdim=True)
        return grey + (images - grey) * (1 + self.saturation * saturation)

    def _erase(self, images: Tensor, centre_B2: Tensor) -> Tensor:
        rows, columns = (torch.linspace(-1, 1, length, device=images.device) for length in images.shape[-2:])
        near = [
            (axis - centre[:, None]).abs() < self.erase
            for axis, centre in zip((rows, columns), centre_B2.T, strict=True)
        ]
        return images.masked_fill((near[0][:, :, None] & near[1][:, None, :])[:, None], 0.5)
