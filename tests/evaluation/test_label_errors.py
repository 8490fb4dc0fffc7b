"""Confident learning: by hand, and on labels that were made wrong on purpose."""

import numpy as np

from pipeline.evaluation.label_errors import suspects


def test_a_label_looks_wrong_where_another_class_is_confident_and_its_own_improbable() -> None:
    scores = np.array([[0.9, 0.1], [0.7, 0.3], [0.05, 0.95], [0.1, 0.9], [0.2, 0.8], [0.45, 0.55]])
    labels = np.array([0, 0, 0, 1, 1, 0])
    # The mean probability of a class over its own samples: (.9 + .7 + .05 + .45) / 4 = .525 and (.9 + .8) / 2 = .85.
    assert suspects(scores, labels)[0].tolist() == [2]  # the last is nearer to class 1, which is not confident in it


def test_a_label_looks_like_the_most_probable_confident_class_not_like_the_most_probable_one() -> None:
    # Class 0 is the most probable of the first sample, but less probable than on its own samples (.9).
    scores = np.array([[0.5, 0.4, 0.1], *[[0.9, 0.05, 0.05]] * 3, *[[0.35, 0.35, 0.3]] * 3, *[[0.05, 0.05, 0.9]] * 3])
    labels = np.array([2, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert [found.tolist() for found in suspects(scores, labels)] == [[0], [1]]


def test_the_most_certain_comes_first() -> None:
    scores = np.array([[0.15, 0.85], [0.01, 0.99], *[[0.8, 0.2]] * 8, *[[0.2, 0.8]] * 8])
    labels = np.array([0, 0, *[0] * 8, *[1] * 8])
    assert suspects(scores, labels)[0].tolist() == [1, 0]


def test_labels_that_were_made_wrong_are_found_and_few_others() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 4, 2000)
    logits_NC = rng.normal(0, 1, (2000, 4))
    logits_NC[np.arange(2000), truth_N] += 6
    scores_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    wrong = rng.choice(2000, 60, replace=False)
    label_N = truth_N.copy()
    label_N[wrong] = (truth_N[wrong] + rng.integers(1, 4, 60)) % 4
    found, likely = suspects(scores_NC, label_N)
    hits = len(set(found.tolist()) & set(wrong.tolist()))
    assert hits > 0.9 * 60
    assert hits > 0.9 * len(found)
    assert (likely == truth_N[found]).mean() > 0.9
    assert len(suspects(scores_NC, truth_N)[0]) < 10
