"""Confident learning: labels that look wrong by the probabilities of a classifier that did not see them.

Source: Northcutt, Jiang, Chuang 2021, arXiv:1911.00068.
"""

import numpy as np

# N samples, C classes
MAX_PROBABILITY = 0.2  # of the given label of a sample that is named: the rest are hard samples, not wrong ones


def suspects(score_NC: np.ndarray, label_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the samples whose label looks wrong, the most certain first, and the class that each looks like.

    A class is confident in a sample if its probability is at least the class's mean over the samples with its label.
    A label looks wrong if the most probable confident class is another one, and its own probability is small.
    """
    rows = np.arange(len(label_N))
    own_N = score_NC[rows, label_N]
    thresholds_C = np.array([own_N[label_N == label].mean() for label in range(score_NC.shape[1])])
    confident_NC = score_NC >= thresholds_C
    likely_N = np.where(confident_NC, score_NC, 0).argmax(axis=1)
    found = np.flatnonzero(confident_NC.any(axis=1) & (likely_N != label_N) & (own_N < MAX_PROBABILITY))
    margin = own_N[found] - score_NC[found, likely_N[found]]
    ordered = found[np.argsort(margin, kind="stable")]
    return ordered, likely_N[ordered]
