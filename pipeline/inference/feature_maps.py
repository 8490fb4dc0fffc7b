"""Feature maps: the output of each convolution of a net for an image."""

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.cnn import ConvBlock


@torch.inference_mode()
def feature_maps(net: nn.Module, image_CHW: Tensor) -> list[np.ndarray]:
    """The (C, H, W) output of each convolution block of a net, in order; empty if the net has none."""
    outputs: list[np.ndarray] = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: outputs.append(output[0].numpy()))
        for module in net.modules()
        if isinstance(module, ConvBlock)
    ]
    try:
        net(image_CHW[None])
    finally:
        for hook in hooks:
            hook.remove()
    return outputs[: len(hooks)]  # a net with test-time augmentation runs its convolutions again for each shifted image
