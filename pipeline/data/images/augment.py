"""Augmentation of image batches: a pure function of (seed, epoch, sample), for any number of workers."""

import math
from functools import cache
from typing import Protocol, Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data.batches import Arrays, Batches, Order


class Augment:
    """Random affine and elastic distortion of each image (Simard, Steinkraus, Platt 2003).

    Rotation, shift, scale and shear are uniform within plus or minus the given amount; `elastic_px` is the standard
    deviation of displacements on a 4x4 grid, interpolated bilinearly.
    """

    GRID = 4

    def __init__(self, rotate_deg: float, shift_px: float, scale: float, shear: float, elastic_px: float):
        self.amounts = torch.tensor([math.radians(rotate_deg), shift_px, shift_px, scale, scale, shear])
        self.elastic_px = elastic_px

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, 6 + 2 x 4 x 4) random numbers for `__call__`, one row a sample."""
        affine = torch.rand(n, 6, generator=generator).mul_(2).sub_(1) * self.amounts
        return torch.cat([affine, self.elastic_px * torch.randn(n, 2 * self.GRID**2, generator=generator)], dim=1)

    def __call__(self, images_BCHW: Tensor, noise: Tensor) -> Tensor:
        height, width = images_BCHW.shape[-2:]
        angle, right, down, wider, taller, shear = noise[:, :6].unbind(1)
        cos, sin = angle.cos(), angle.sin()
        # Sampling coordinates run from -1 to 1, so that a pixel is 2 / side.
        affine = torch.stack(
            [(1 + wider) * cos, shear - sin, right * 2 / width, sin + shear, (1 + taller) * cos, down * 2 / height],
            dim=1,
        )
        coarse = noise[:, 6:].view(-1, 2, self.GRID**2) * (2 / width)
        # Both distortions are linear in the coordinates and the grid's displacements: one product gives all of them.
        displaced = torch.cat([affine.view(-1, 2, 3), coarse], dim=2) @ self._basis(height, width).to(noise.device)
        grid = displaced.view(-1, 2, height, width).permute(0, 2, 3, 1)
        return F.grid_sample(images_BCHW, grid, align_corners=False)

    @staticmethod
    @cache
    def _basis(height: int, width: int) -> Tensor:
        """(3 + 4 x 4, height x width): x, y, 1 and the weight of each grid point, at each pixel's centre."""
        coordinates = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False).view(-1, 2).T
        corners = torch.eye(Augment.GRID**2).view(-1, 1, Augment.GRID, Augment.GRID)
        weights = F.interpolate(corners, (height, width), mode="bilinear", align_corners=True)
        return torch.cat([coordinates, torch.ones(1, height * width), weights.view(Augment.GRID**2, -1)])


class Augmentation(Protocol):
    """A random change of images, by numbers that are drawn apart from it."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor: ...

    def __call__(self, images_BCHW: Tensor, noise: Tensor, /) -> Tensor: ...


class Augmented(Batches):
    """Batches of images with the random numbers of their augmentation, drawn once per (seed, epoch, sample)."""

    def __init__(self, arrays: Arrays, batch_size: int, augment: Augmentation, **order: Unpack[Order]):
        super().__init__(arrays, batch_size, **order)
        self.augment = augment

    def draw(self, generator: torch.Generator) -> Tensor:
        batches = super().draw(generator)
        self.noise = self.augment.draw(len(self.targets), generator)
        return batches

    def take(self, batch_B: Tensor, part: slice) -> tuple[Tensor, ...]:
        return *super().take(batch_B, part), self.noise[batch_B[part]]
