"""The mean of probabilities, by hand."""

import torch
from torch import nn

from pipeline.models.ensemble import Ensemble


class Fixed(nn.Module):
    def __init__(self, *probabilities: float):
        super().__init__()
        self.logits = torch.tensor(probabilities).log()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1)


def test_an_ensembles_probabilities_are_the_mean_of_its_members() -> None:
    ensemble = Ensemble([Fixed(0.9, 0.1), Fixed(0.3, 0.7), Fixed(0.3, 0.7)])
    torch.testing.assert_close(ensemble(torch.zeros(2, 4)).softmax(1), torch.tensor([[0.5, 0.5]] * 2))
