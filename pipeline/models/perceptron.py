"""Rosenblatt's perceptron: threshold units whose weights change only after a misclassified sample.

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
    """(B, K) coefficients -1, 0 or 1 with which each sample is added to each class's weights, one sample after another.

    `scores_BK` are those of the weights before the batch, `gram_BB` the Gram matrix of the samples. Both give the score
    of each sample after the corrections by earlier samples without touching the weights.
    """
    scores, gram, labels = scores_BK.cpu().numpy(), gram_BB.cpu().numpy(), labels_B.cpu().numpy()
    changes = np.zeros_like(scores)
    for sample, label in enumerate(labels):
        score_K = scores[sample] + gram[sample, :sample] @ changes[:sample]
        # >= and <=: zero weights tie all classes and must still be corrected.
        if rule == "one_vs_all":
            target_K = np.where(np.arange(len(score_K)) == label, 1, -1)
            changes[sample] = np.where(target_K * score_K <= 0, target_K, 0)
        else:
            own, score_K[label] = score_K[label], -np.inf
            rival = score_K.argmax()
            if score_K[rival] >= own:
                changes[sample, label], changes[sample, rival] = 1, -1
    return torch.from_numpy(changes).to(scores_BK.device)


class AssociationUnits(nn.Module):
    """Rosenblatt's association units, a fixed random layer: (B, C, H, W) -> (B, A) of 0 and 1.

    A convolution with `units` random kernels of side `patch`, normal and scaled to length 1, with stride 2. A unit
    fires if its sum exceeds `threshold`. A = `units` x positions.
    """

    STRIDE = 2

    def __init__(self, in_shape: Sequence[int], units: int, patch: int, threshold: float):
        super().__init__()
        channels, height, width = in_shape
        weights = torch.randn(units, channels, patch, patch)
        self.weights: Tensor
        self.register_buffer("weights", weights / weights.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.threshold = threshold
        self.count = units * math.prod((side - patch) // self.STRIDE + 1 for side in (height, width))

    def forward(self, inputs: Tensor) -> Tensor:
        return step(F.conv2d(inputs, self.weights, stride=self.STRIDE) - self.threshold).flatten(1)


class Perceptron(nn.Module):
    """Classifier: (B, …) of shape `in_shape` -> (B, K) scores of single-layer threshold units.

    The rule `one_vs_all` trains the unit of each class by itself; `multiclass` corrects only the predicted and the true
    class. `averaged` predicts with the mean of the weights after every sample. With `units` > 0 the inputs are replaced
    by that many kinds of association units (`AssociationUnits`).

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
            raise ConfigError(f"model.net.rule: unknown rule {rule!r}. Choose one of one_vs_all, multiclass.")
        self.rule, self.averaged = rule, averaged
        self.features = AssociationUnits(in_shape, units, patch, threshold) if units else nn.Flatten()
        seen = self.features.count if isinstance(self.features, AssociationUnits) else math.prod(in_shape)
        self.weights_KD = nn.Parameter(torch.zeros(classes, seen + 1))
        self.total_KD: Tensor
        self.seen: Tensor
        self.register_buffer("total_KD", torch.zeros_like(self.weights_KD, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        weights_KD = (self.total_KD / self.seen.clamp(min=1)).float() if self.averaged else self.weights_KD
        return self.inputs(inputs) @ weights_KD.T

    def inputs(self, inputs: Tensor) -> Tensor:
        """(B, D) features, the last of them a constant 1 for the bias."""
        features = self.features(inputs)
        return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)

    @torch.no_grad()
    def online_update(self, inputs: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """The update (K, D) of the weights by a batch, sample by sample, and (B,) which samples were classified right.

        The caller applies the update; the running sum of the weights, for their average, is kept here.
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
