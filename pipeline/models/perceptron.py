"""Rosenblatt's perceptron and his rule: weights change after a wrong answer, and only then.

Sources: Rosenblatt 1958, doi:10.1037/h0042519; Novikoff 1962 (the bound on mistakes); Freund, Schapire 1999,
doi:10.1023/A:1007662407062 (averaged weights); Crammer, Singer 2003, jmlr.org/papers/v3/crammer03a.html (many classes).
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import ConfigError
from pipeline.models.neuron import step

# B batch, D inputs (the last one always 1), K class, A association units
Rule = Literal["one_vs_all", "multiclass"]


def corrections(scores_BK: Tensor, gram_BB: Tensor, labels_B: Tensor, rule: Rule) -> Tensor:
    """(B, K) of -1, 0 and 1: how often each sample is added to each class's weights when they learn one by one.

    `scores_BK` are those of the weights before the batch, `gram_BB` the samples' products with each other: with them
    the scores that each sample meets, after the corrections of those before it, need no weights.
    """
    scores, gram, labels = scores_BK.cpu().numpy(), gram_BB.cpu().numpy(), labels_B.cpu().numpy()
    changes = np.zeros_like(scores)
    for sample, label in enumerate(labels):
        met_K = scores[sample] + gram[sample, :sample] @ changes[:sample]
        # >= and <=: weights of zero tie every class, and must still learn.
        if rule == "one_vs_all":
            target_K = np.where(np.arange(len(met_K)) == label, 1, -1)
            changes[sample] = np.where(target_K * met_K <= 0, target_K, 0)
        else:
            own, met_K[label] = met_K[label], -np.inf
            rival = met_K.argmax()
            if met_K[rival] >= own:
                changes[sample, label], changes[sample, rival] = 1, -1
    return torch.from_numpy(changes).to(scores_BK.device)


class AUnits(nn.Module):
    """Rosenblatt's association units, never trained: (B, C, H, W) -> (B, A) of 0 and 1, each fed by a patch.

    A kind of unit weighs the `patch` x `patch` pixels it sees by normal random numbers, scaled to length 1, and fires
    if their sum exceeds `threshold`. At every second place, down and across, stands one of each of `units` kinds, so
    that A = `units` x places.
    """

    EVERY = 2  # pixels from one place to the next

    def __init__(self, in_shape: Sequence[int], units: int, patch: int, threshold: float):
        super().__init__()
        channels, height, width = in_shape
        weights = torch.randn(units, channels, patch, patch)
        self.weights: Tensor
        self.register_buffer("weights", weights / weights.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.threshold = threshold
        self.count = units * math.prod((side - patch) // self.EVERY + 1 for side in (height, width))

    def forward(self, inputs: Tensor) -> Tensor:
        return step(F.conv2d(inputs, self.weights, stride=self.EVERY) - self.threshold).flatten(1)


class Perceptron(nn.Module):
    """Classifier: (B, …) of shape `in_shape` -> (B, K) scores of single-layer threshold units.

    With the rule `one_vs_all` each class's unit learns by itself to fire for its own; with `multiclass` only the wrong
    winner and the right class change. `averaged` answers with the mean of all weights there ever were. With `units` > 0
    the perceptron sees association units of that many kinds (`AUnits`) in the place of the inputs.

    Raises: ConfigError for an unknown rule.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        classes: int,
        rule: Rule,
        averaged: bool,
        units: int = 0,
        patch: int = 0,
        threshold: float = 0.0,
    ):
        super().__init__()
        if rule not in ("one_vs_all", "multiclass"):
            raise ConfigError(f"model.net.rule: no such rule {rule!r}. There are: one_vs_all, multiclass.")
        self.rule, self.averaged = rule, averaged
        self.features = AUnits(in_shape, units, patch, threshold) if units else nn.Flatten()
        seen = self.features.count if isinstance(self.features, AUnits) else math.prod(in_shape)
        self.weights_KD = nn.Parameter(torch.zeros(classes, seen + 1))
        self.total_KD: Tensor
        self.seen: Tensor
        self.register_buffer("total_KD", torch.zeros_like(self.weights_KD, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        weights_KD = (self.total_KD / self.seen.clamp(min=1)).float() if self.averaged else self.weights_KD
        return self.inputs(inputs) @ weights_KD.T

    def inputs(self, inputs: Tensor) -> Tensor:
        """(B, D): what the weights see, a constant 1 at the end."""
        features = self.features(inputs)
        return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)

    @torch.no_grad()
    def online_update(self, inputs: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """What a batch, one sample after the other, adds to the weights (K, D), and which samples were answered right.

        The weights themselves are left to the caller; their running sum, for the average, is kept here.
        """
        inputs_BD = self.inputs(inputs)
        changes_BK = corrections(inputs_BD @ self.weights_KD.T, inputs_BD @ inputs_BD.T, labels_B, self.rule)
        # The correction by sample i counts in the weights after it, and in those of every later sample.
        lasting_B1 = torch.arange(len(labels_B), 0, -1, device=labels_B.device).unsqueeze(1)
        self.total_KD += (
            len(labels_B) * self.weights_KD.double() + (changes_BK * lasting_B1).double().T @ inputs_BD.double()
        )
        self.seen += len(labels_B)
        return changes_BK.T @ inputs_BD, (changes_BK == 0).all(dim=1)
