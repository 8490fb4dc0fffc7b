"""Comparisons of two systems' accuracies: paired over the same test samples where they are known, else over seeds.

Sources: Efron, Tibshirani 1993 (paired bootstrap); Holm 1979, jstor.org/stable/4615733 (several comparisons at once).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from pipeline.evaluation.intervals import CONFIDENCE

# S seeds, N samples, P patterns, R replicates
REPLICATES = 10_000
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean accuracy of one system less that of another, with its 95 % interval and two-sided p-value."""

    value: float
    low: float
    high: float
    p: float
    method: Literal["paired", "unpaired"]


def paired(ours_SN: np.ndarray, theirs_SN: np.ndarray) -> Difference:
    """Compare which samples each system's seeds predict correctly, by a bootstrap over samples and over seeds.

    A replicate draws samples, the same for both systems, and seeds of each; the interval is between quantiles of its
    differences, and p twice the share of them on the other side of 0. Samples that all seeds treat alike are drawn
    together, by their number.
    """
    rng = np.random.default_rng(0)
    both_NS = np.concatenate([ours_SN, theirs_SN]).T.astype(bool)
    patterns_PS, counts_P = np.unique(both_NS, axis=0, return_counts=True)
    shares_RP = rng.multinomial(counts_P.sum(), counts_P / counts_P.sum(), size=REPLICATES) / counts_P.sum()
    accuracy_RS = shares_RP @ patterns_PS
    split = len(ours_SN)
    means = [_resampled_mean(part_RS, rng) for part_RS in (accuracy_RS[:, :split], accuracy_RS[:, split:])]
    difference_R = means[0] - means[1]
    low, high = np.quantile(difference_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    other_side = min((difference_R <= 0).sum(), (difference_R >= 0).sum())
    p = min(1.0, 2 * (other_side + 1) / (REPLICATES + 1))
    return Difference(float(ours_SN.mean() - theirs_SN.mean()), float(low), float(high), float(p), "paired")


def _resampled_mean(accuracy_RS: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(R,) mean over as many seeds as there are, drawn anew for each replicate."""
    replicates, seeds = accuracy_RS.shape
    drawn_RS = rng.integers(0, seeds, (replicates, seeds))
    mean_R: np.ndarray = np.take_along_axis(accuracy_RS, drawn_RS, axis=1).mean(axis=1)
    return mean_R


def unpaired(ours: Sequence[float], theirs: Sequence[float], samples: int) -> Difference:
    """Compare the accuracies of two systems' seeds on `samples` test samples, by the normal approximation.

    The variance is that of the seeds' means and that of two independent test sets, so it is too large where both are
    tested on the same samples.
    """
    seeds = sum(float(np.var(values, ddof=1)) / len(values) for values in (ours, theirs) if len(values) > 1)
    sampling = sum(float(np.mean(values)) * (1 - float(np.mean(values))) / samples for values in (ours, theirs))
    error = float(np.sqrt(seeds + sampling))
    value = float(np.mean(ours) - np.mean(theirs))
    half = NORMAL.inv_cdf((1 + CONFIDENCE) / 2) * error
    p = 2 * NORMAL.cdf(-abs(value) / error) if error else float(value == 0)
    return Difference(value, value - half, value + half, p, "unpaired")


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number: below .05, at most 5 % of such families hold one false difference."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
