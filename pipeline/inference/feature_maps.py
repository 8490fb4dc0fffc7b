"""Feature maps: what each convolution of a net makes of an image."""

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.cnn import ConvBlock


@torch.inference_mode()
def feature_maps(net: nn.Module, image_CHW: Tensor) -> list[np.ndarray]:
    """(C, H, W) after each convolution of a net, with what belongs to it; none if it has no convolution."""
    seen: list[np.ndarray] = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: seen.append(output[0].numpy()))
        for module in net.modules()
        if isinstance(module, ConvBlock)
    ]
    try:
        net(image_CHW[None])
    finally:
        for hook in hooks:
            hook.remove()
    return seen[: len(hooks)]  # a net that looks at moved images, too, begins with the image itself
