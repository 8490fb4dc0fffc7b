"""Multilayer perceptron: a feedforward net of fully connected layers.

Source: Rumelhart, Hinton, Williams 1986, doi:10.1038/323533a0.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.neuron import Activate

# B batch, K class


class MLP(nn.Module):
    """Classifier of flat inputs: (B, …) of shape `in_shape` -> (B, K) logits.

    `hidden` gives the units of each hidden layer (none: the net is linear), `activation` one name for all or one each;
    `batch_norm` normalises every hidden layer before its activation (Ioffe, Szegedy 2015, arXiv:1502.03167).
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        classes: int,
        hidden: Sequence[int],
        activation: str | Sequence[str] = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        width = math.prod(in_shape)
        layers: list[nn.Module] = [nn.Flatten()]
        names = [activation] * len(hidden) if isinstance(activation, str) else activation
        for units, name in zip(hidden, names, strict=True):
            layers += [nn.Linear(width, units, bias=not batch_norm), *[nn.BatchNorm1d(units)] * batch_norm]
            layers += [Activate(name), nn.Dropout(dropout)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, inputs: Tensor) -> Tensor:
        logits_BK: Tensor = self.layers(inputs)
        return logits_BK
