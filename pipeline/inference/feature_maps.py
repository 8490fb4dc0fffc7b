"""Feature maps: the output of each convolution of a net for an image, and how one of them is computed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.inference.hooks import recording
from pipeline.models.cnn import ConvBlock
from pipeline.models.neuron import Activate

# C input maps, K kernel side, H height, W width


@dataclass(frozen=True, slots=True)
class Convolution:
    """How a convolution block computes one map of an image, before pooling.

    sum[y, x] = sum of kernel * patch, over all input maps; the patch starts at row `stride` * y - `padding`, likewise
    its column, and is 0 outside of the input. output = activation(`scale` * sum + `shift`). Scale and shift are those
    of batch norm, with the statistics of training; without batch norm they are 1 and the convolution's bias.
    """

    inputs_CHW: np.ndarray
    kernel_CKK: np.ndarray
    stride: int
    padding: int
    sums_HW: np.ndarray
    scale: float
    shift: float
    batch_norm: bool
    activation: str
    outputs_HW: np.ndarray
    pool: int  # side of the max pooling that follows, 1 for none


def feature_maps(net: nn.Module, image_CHW: Tensor) -> list[np.ndarray]:
    """The (C, H, W) output of each convolution block of a net, in order; empty if the net has none."""
    return [outputs_CHW.numpy() for _, outputs_CHW in _first_calls(net, image_CHW, _blocks(net))]


def convolution(net: nn.Module, image_CHW: Tensor, layer: int, channel: int) -> Convolution:
    """How the map `channel` of the convolution block `layer` is computed, both counted from 0.

    Raises: ConfigError if the net has no such map.
    """
    blocks = _blocks(net)
    block = blocks[layer] if layer < len(blocks) else nn.Sequential()
    convolve = next((part for part in block if isinstance(part, nn.Conv2d)), None)
    if convolve is None or channel >= convolve.out_channels:
        raise ConfigError(
            f"Map {channel + 1} of layer {layer + 1}: the network has no such map. Reload the page and choose another."
        )
    activate = next(part for part in block if isinstance(part, Activate))
    norms = [part for part in block if isinstance(part, nn.BatchNorm2d)]
    pools = [part.kernel_size for part in block if isinstance(part, nn.MaxPool2d) and isinstance(part.kernel_size, int)]
    (inputs_CHW, sums_CHW), (_, outputs_CHW) = _first_calls(net, image_CHW, [convolve, activate])
    bias = 0.0 if convolve.bias is None else convolve.bias[channel].item()
    scale, shift = _folded(norms[0], channel) if norms else (1.0, bias)
    return Convolution(
        inputs_CHW=inputs_CHW.numpy(),
        kernel_CKK=convolve.weight[channel].detach().numpy(),
        stride=convolve.stride[0],
        padding=int(convolve.padding[0]),
        sums_HW=sums_CHW[channel].numpy() - bias,
        scale=scale,
        shift=shift,
        batch_norm=bool(norms),
        activation=activate.name,
        outputs_HW=outputs_CHW[channel].numpy(),
        pool=pools[0] if pools else 1,
    )


def _blocks(net: nn.Module) -> list[ConvBlock]:
    return [module for module in net.modules() if isinstance(module, ConvBlock)]


@torch.inference_mode()
def _first_calls(net: nn.Module, image_CHW: Tensor, modules: Sequence[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    """(C, H, W) input and output of each module for an image; the modules are in the order of the forward pass.

    A net with test-time augmentation runs its modules again for each shifted image: only the first calls count.
    """
    with recording(modules) as calls:
        net(image_CHW[None])
    return [(inputs_BCHW[0], outputs_BCHW[0]) for inputs_BCHW, outputs_BCHW in calls[: len(modules)]]


def _folded(norm: nn.BatchNorm2d, channel: int) -> tuple[float, float]:
    """Batch norm of a channel in evaluation as a factor and a summand."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.weight[channel] / (norm.running_var[channel] + norm.eps).sqrt()).item()
    return scale, norm.bias[channel].item() - norm.running_mean[channel].item() * scale
