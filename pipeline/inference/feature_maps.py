"""Feature maps: the output of each convolution of a net for an image."""

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.inference.hooks import recording
from pipeline.models.cnn import ConvBlock


@torch.inference_mode()
def feature_maps(net: nn.Module, image_CHW: Tensor) -> list[np.ndarray]:
    """The (C, H, W) output of each convolution block of a net, in order; empty if the net has none."""
    blocks = [module for module in net.modules() if isinstance(module, ConvBlock)]
    with recording(blocks) as calls:
        net(image_CHW[None])
    # A net with test-time augmentation runs its convolutions again for each shifted image.
    return [output[0].numpy() for _, output in calls[: len(blocks)]]
