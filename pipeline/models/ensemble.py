"""The mean of several classifiers' probabilities.

Source: Hansen, Salamon 1990, doi:10.1109/34.58871.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# B batch, K class


class Ensemble(nn.Module):
    """(B, …) inputs of its members -> (B, K): the logarithm of the mean of their probabilities."""

    def __init__(self, members: Sequence[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        probabilities_MBK = torch.stack([member(inputs).softmax(dim=1) for member in self.members])
        return probabilities_MBK.mean(dim=0).log()
