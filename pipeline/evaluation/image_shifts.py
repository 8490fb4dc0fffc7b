"""Shifts of images that users' images differ by: rotation, noise, blur, inversion, thick and thin strokes.

Each function takes images (N, C, H, W) in [0, 1] and a strength, and returns new ones; at strength 0 they are equal.
Source of the idea: Hendrycks, Dietterich 2019, arXiv:1903.12261.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SEED = 0  # of the noise
SUBPIXELS = 4  # a stroke's edge moves by quarters of a pixel


def rotated(images_NCHW: Tensor, degrees: float) -> Tensor:
    """Rotate counter-clockwise about the centre, with bilinear interpolation; what was outside is 0."""
    if not degrees:
        return images_NCHW
    height, width = images_NCHW.shape[2:]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # From places of the result to places of the source, both from -1 to 1 along either side.
    back_23 = torch.tensor([[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]])
    grid_NHW2 = F.affine_grid(back_23.expand(len(images_NCHW), 2, 3), list(images_NCHW.shape), align_corners=False)
    return F.grid_sample(images_NCHW, grid_NHW2, align_corners=False)


def noisy(images_NCHW: Tensor, sd: float) -> Tensor:
    """Add normal noise of a standard deviation; values stay in [0, 1]."""
    noise_NCHW = torch.randn(images_NCHW.shape, generator=torch.Generator().manual_seed(SEED))
    return (images_NCHW + sd * noise_NCHW).clamp(0, 1)


def blurred(images_NCHW: Tensor, percent: float) -> Tensor:
    """Convolve with a normal distribution, whose standard deviation is in percent of the images' height."""
    sd = percent / 100 * images_NCHW.shape[2]
    if not sd:
        return images_NCHW
    radius = math.ceil(3 * sd)
    kernel_K = torch.exp(-torch.arange(-radius, radius + 1).float().square() / (2 * sd * sd))
    kernel_K /= kernel_K.sum()
    channels = images_NCHW.shape[1]
    along_height = kernel_K.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    along_width = kernel_K.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded_NCHW = F.pad(images_NCHW, [radius] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded_NCHW, along_height, groups=channels), along_width, groups=channels)


def inverted(images_NCHW: Tensor, inverts: float) -> Tensor:
    """Exchange dark and bright, if `inverts` is 1."""
    return 1 - images_NCHW if inverts else images_NCHW


def with_strokes(images_NCHW: Tensor, pixels: float) -> Tensor:
    """Move the edges of bright strokes outwards by some pixels, or inwards if negative.

    That is the morphological dilation or erosion by a square, in quarters of pixels.
    """
    if not (radius := round(SUBPIXELS * abs(pixels))):
        return images_NCHW
    fine_NCHW = images_NCHW.repeat_interleave(SUBPIXELS, 2).repeat_interleave(SUBPIXELS, 3)
    sign = math.copysign(1, pixels)
    moved_NCHW = sign * F.max_pool2d(sign * fine_NCHW, 2 * radius + 1, stride=1, padding=radius)
    return F.avg_pool2d(moved_NCHW, SUBPIXELS)
