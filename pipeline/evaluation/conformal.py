"""Split conformal prediction: sets of classes that hold the true class with a chosen probability.

A set has every class whose probability is at least a threshold, the one that enough validation samples' true classes
reach (Sadinle, Lei, Wasserman 2019, arXiv:1609.00451). It always has the most probable class. For samples that are
exchangeable with validation's, at least the chosen share of sets hold the true class, whatever the model.
"""

import math

import numpy as np

# N samples, C classes
COVERAGE = 0.99  # that test measures


def threshold(true_probability_N: np.ndarray, coverage: float) -> float:
    """The least probability of a class in a set, from the true classes' probabilities on validation, in rising order.

    It is the k-th least of them, where k = floor((1 - coverage) (N + 1)); 0 if N is too small for that coverage.
    """
    # Rounded: .1 * 10 is a little less than 1 as floats go.
    place = math.floor(round((1 - coverage) * (len(true_probability_N) + 1), 9))
    return float(true_probability_N[min(place, len(true_probability_N)) - 1]) if place else 0.0


def prediction_sets(score_NC: np.ndarray, least: float) -> np.ndarray:
    """(N, C) booleans: which classes are in each sample's set."""
    sets_NC = score_NC >= least
    sets_NC[np.arange(len(sets_NC)), score_NC.argmax(axis=1)] = True
    return sets_NC


def coverage_and_size(score_NC: np.ndarray, truth_N: np.ndarray, least: float) -> tuple[float, float]:
    """The share of sets that hold the true class, and the mean number of classes in a set."""
    sets_NC = prediction_sets(score_NC, least)
    return float(sets_NC[np.arange(len(sets_NC)), truth_N].mean()), float(sets_NC.sum(axis=1).mean())
