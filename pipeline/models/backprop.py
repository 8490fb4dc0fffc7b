"""Backpropagation by hand: a multilayer perceptron whose backward pass is written out.

Source: Rumelhart, Hinton, Williams 1986, doi:10.1038/323533a0.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pipeline.models.neuron import ACTIVATIONS, Activate, Activation

# B batch, I units of the layer below, J units of a layer, K class
Layers = Sequence[tuple[Tensor, Tensor]]  # weight_JI, bias_J of each


def forward_pass(x_BI: Tensor, layers: Layers, activation: Activation) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs y and the pre-activations z = y Wᵀ + b of each layer; the last z are the logits."""
    inputs, totals = [x_BI], []
    for weight_JI, bias_J in layers:
        totals.append(inputs[-1] @ weight_JI.T + bias_J)
        inputs.append(activation.function(totals[-1]))
    return inputs[:-1], totals


def backward_pass(
    error_BK: Tensor, inputs: Sequence[Tensor], totals: Sequence[Tensor], layers: Layers, activation: Activation
) -> list[tuple[Tensor, Tensor]]:
    """dE/dW and dE/db of each layer, first to last, from dE/dz of the last.

    From the last layer to the first: dE/dW_ji = dE/dz_j y_i, and dE/dz_i = f'(z_i) sum over j of dE/dz_j W_ji.
    """
    gradients = []
    for depth in range(len(layers) - 1, -1, -1):
        gradients.append((error_BK.T @ inputs[depth], error_BK.sum(dim=0)))
        if depth:
            error_BK = (error_BK @ layers[depth][0]) * activation.derivative(totals[depth - 1])
    return gradients[::-1]


class _ManualBackward(torch.autograd.Function):
    """Gives autograd the hand-written backward pass."""

    @staticmethod
    def forward(ctx: Any, x_BI: Tensor, activation: Activation, *flat: Tensor) -> Tensor:
        layers = list(zip(flat[::2], flat[1::2], strict=True))
        inputs, totals = forward_pass(x_BI, layers, activation)
        ctx.activation, ctx.depth = activation, len(layers)
        ctx.save_for_backward(*inputs, *totals, *flat)
        return totals[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error_BK: Tensor) -> tuple[Tensor | None, ...]:
        depth, saved = ctx.depth, ctx.saved_tensors
        layers = list(zip(saved[2 * depth :: 2], saved[2 * depth + 1 :: 2], strict=True))
        gradients = backward_pass(error_BK, saved[:depth], saved[depth : 2 * depth], layers, ctx.activation)
        return None, None, *(gradient for pair in gradients for gradient in pair)


class Backprop(nn.Module):
    """Classifier of flat inputs, (B, …) of shape `in_shape` -> (B, K) logits: `MLP` without batch norm and dropout.

    Its initial weights are those that `MLP` draws from the same seed. Inputs get no gradient.
    """

    def __init__(self, in_shape: Sequence[int], classes: int, hidden: Sequence[int], activation: str = "relu"):
        super().__init__()
        widths = [math.prod(in_shape), *hidden, classes]
        self.activation = ACTIVATIONS[Activate(activation).name]
        self.layers = nn.ModuleList(nn.Linear(below, units) for below, units in pairwise(widths))

    def forward(self, inputs: Tensor) -> Tensor:
        x_BI = inputs.flatten(1)
        flat: list[Tensor] = list(self.layers.parameters())  # weight, bias, weight, bias, …
        if torch.is_grad_enabled():
            logits_BK: Tensor = _ManualBackward.apply(x_BI, self.activation, *flat)  # type: ignore[no-untyped-call]
            return logits_BK
        return forward_pass(x_BI, list(zip(flat[::2], flat[1::2], strict=True)), self.activation)[1][-1]
