"""Threshold unit (McCulloch-Pitts neuron) and activation functions.

Source: McCulloch, Pitts 1943, doi:10.1007/BF02478259; the source of each function is given with it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import ConfigError


def step(x: Tensor) -> Tensor:
    """Heaviside step: 1 where the input is above 0, else 0."""
    return (x > 0).to(x.dtype)


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function with its formula, derivative and range."""

    function: Callable[[Tensor], Tensor]
    formula: str
    derivative: Callable[[Tensor], Tensor]
    slope: str  # the derivative's formula
    range: tuple[float, float]  # infimum and supremum
    source: str


def _normal_pdf(x: Tensor) -> Tensor:
    return torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _normal_cdf(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / math.sqrt(2))) / 2


INFINITE = math.inf
ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x: x, "x", torch.ones_like, "1", (-INFINITE, INFINITE), "Widrow, Hoff 1960"),
    "step": Activation(step, "1 if x > 0 else 0", torch.zeros_like, "0", (0, 1), "McCulloch, Pitts 1943"),
    "sigmoid": Activation(
        torch.sigmoid,
        "1 / (1 + exp(-x))",
        lambda x: x.sigmoid() * (1 - x.sigmoid()),
        "f (1 - f)",
        (0, 1),
        "Rumelhart, Hinton, Williams 1986",
    ),
    "tanh": Activation(torch.tanh, "tanh(x)", lambda x: 1 - x.tanh() ** 2, "1 - f²", (-1, 1), "LeCun et al. 1998"),
    "relu": Activation(
        F.relu, "max(0, x)", step, "1 if x > 0 else 0", (0, INFINITE), "Nair, Hinton 2010"
    ),  # the slope at 0 is 0
    "leaky_relu": Activation(
        F.leaky_relu,
        "x if x > 0 else 0.01 x",
        lambda x: torch.full_like(x, 0.01).masked_fill(x > 0, 1.0),
        "1 if x > 0 else 0.01",
        (-INFINITE, INFINITE),
        "Maas, Hannun, Ng 2013",
    ),
    "elu": Activation(
        F.elu,
        "x if x > 0 else exp(x) - 1",
        lambda x: torch.where(x > 0, 1.0, x.exp()).to(x.dtype),
        "1 if x > 0 else exp(x)",
        (-1, INFINITE),
        "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289",
    ),
    "softplus": Activation(
        F.softplus, "log(1 + exp(x))", torch.sigmoid, "1 / (1 + exp(-x))", (0, INFINITE), "Dugas et al. 2000"
    ),
    "gelu": Activation(
        F.gelu,
        "x Φ(x)",
        lambda x: _normal_cdf(x) + x * _normal_pdf(x),
        "Φ(x) + x φ(x)",
        (-0.17, INFINITE),
        "Hendrycks, Gimpel 2016, arXiv:1606.08415",
    ),
    "silu": Activation(
        F.silu,
        "x / (1 + exp(-x))",
        lambda x: x.sigmoid() * (1 + x * (1 - x.sigmoid())),
        "s (1 + x (1 - s)), s = 1 / (1 + exp(-x))",
        (-0.279, INFINITE),
        "Elfwing, Uchibe, Doya 2017, arXiv:1702.03118",
    ),
}


class Activate(nn.Module):
    """An activation function as a layer, chosen by name.

    Raises: ConfigError for an unknown name.
    """

    def __init__(self, name: str):
        super().__init__()
        if name not in ACTIVATIONS:
            raise ConfigError(f"activation: unknown function {name!r}. Choose one of {', '.join(ACTIVATIONS)}.")
        self.name, self.function = name, ACTIVATIONS[name].function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def extra_repr(self) -> str:
        return self.name


class Neuron(nn.Module):
    """Threshold unit: (B, inputs) -> (B, 2) logits of resting and firing.

    It fires if the weighted sum of its inputs exceeds the threshold.
    """

    def __init__(self, weights: Sequence[float], threshold: float):
        super().__init__()
        self.weights: Tensor
        self.threshold: Tensor
        self.register_buffer("weights", torch.tensor(weights))
        self.register_buffer("threshold", torch.tensor(threshold))

    def forward(self, inputs: Tensor) -> Tensor:
        excess_B = inputs @ self.weights - self.threshold
        return torch.stack([-excess_B, excess_B], dim=1)


# Weights and threshold of gates of two binary inputs that one unit can compute; XOR is not one of them (Minsky, Papert
# 1969).
GATES = {"and": ((1.0, 1.0), 1.5), "or": ((1.0, 1.0), 0.5), "nand": ((-1.0, -1.0), -1.5), "nor": ((-1.0, -1.0), -0.5)}


def gate(name: str) -> Neuron:
    """A threshold unit that computes a logic gate.

    Raises: ConfigError for a gate without weights in `GATES`.
    """
    if name not in GATES:
        raise ConfigError(
            f"data.gate: unknown gate {name!r}. Choose one of {', '.join(GATES)}: a unit with weights set by hand "
            f"computes no other. Or train a net: model=mlp data=gate data.gate={name}."
        )
    return Neuron(*GATES[name])
