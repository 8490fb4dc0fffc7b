"""Evidence for the lecture's claims, one function each: from committed results or a cheap calculation."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.report.gradient_check import Differences
from pipeline.report.markdown import score, spread

Entry = dict[str, Any]

HOLDS, FAILS, OPEN = "holds", "does not hold", "not tested yet"


# The experiments whose results are the evidence of each claim.
NEEDS = {
    1: (),
    2: ("mlp_xor",),
    3: ("backprop_mnist",),
    4: ("mnist_cnn", "mnist_cnn_best", "lecture_cnn"),
    5: ("imdb_tfidf", "imdb_nbsvm", "lecture_gru", "imdb_rnn", "imdb_gru", "imdb_lstm", "imdb_lstm_pseudo"),
    6: ("imdb_rnn", "imdb_gru", "imdb_lstm", "imdb_bag", "imdb_lstm_pseudo", "imdb_bag_pseudo"),
    7: ("mnist_gan", "lecture_gan"),
}


def perceptron(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    """Train Rosenblatt's perceptron on every Boolean function of two inputs, from every start on a grid of weights."""
    points = np.array([[*point, 1] for point in itertools.product((0, 1), repeat=2)])
    grid = [np.array(start) for start in itertools.product(range(-2, 3), repeat=3)]
    fine = [np.array(normal) for normal in itertools.product(range(-4, 5), repeat=3)]
    learned, never, worst = 0, 0, 0.0
    for targets in itertools.product((-1, 1), repeat=4):
        signed = points * np.array(targets)[:, None]  # a point is correct where its product with the weights is above 0
        mistakes = [_mistakes(start, signed) for start in grid]
        learned += None not in mistakes
        never += set(mistakes) == {None}
        if None not in mistakes:
            margin = max((signed @ normal).min() / np.linalg.norm(normal) for normal in fine if normal.any())
            bound = (np.linalg.norm(points, axis=1).max() / margin) ** 2
            worst = max(worst, (_mistakes(np.zeros(3), signed) or 0) / bound)
    evidence = (
        f"{learned} of 16 functions learned from each of {len(grid)} starting points, {never} from none; "
        f"mistakes from zero at most {worst:.0%} of the bound (R/γ)²"
    )
    return evidence, HOLDS if (learned, never) == (14, 2) and worst <= 1 else FAILS


def _mistakes(weights_D: np.ndarray, signed_BD: np.ndarray, passes: int = 100) -> int | None:
    """The number of Rosenblatt's updates until a whole pass needs none; None if there is no such pass."""
    mistakes = 0
    for _ in range(passes):
        before = mistakes
        for sample_D in signed_BD:
            if weights_D @ sample_D <= 0:
                weights_D, mistakes = weights_D + sample_D, mistakes + 1
        if mistakes == before:
            return mistakes
    return None


def xor(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    runs = entries["mlp_xor"]
    learned = sum(run["metrics"]["test/accuracy"] == 1 for run in runs)
    evidence = f"learned by {learned} of {len(runs)} seeds (four hidden tanh units)"
    return evidence, HOLDS if learned == len(runs) else FAILS


def backprop(gradient: Callable[[], Differences], entries: dict[str, list[Entry]]) -> tuple[str, str]:
    """Compare the hand-written gradient of a small float64 net with autograd and with finite differences."""
    found = gradient()
    close = found.autograd < 1e-6 and found.finite < 1e-6
    evidence = (
        f"{found.weights} weights: {'within' if close else 'not within'} 1e-6 of autograd and of finite differences; "
        f"trained with it on MNIST: {score(entries['backprop_mnist'])} ({len(entries['backprop_mnist'])} seeds)"
    )
    return evidence, HOLDS if close else FAILS


def cnn(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    parts = [f"{name}: {score(entries[name])} ({len(entries[name])} seeds)" for name in NEEDS[4]]
    return "; ".join(parts), HOLDS if min(_accuracies(entries["mnist_cnn"])) > 0.99 else FAILS


def tfidf(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    """Compare TF-IDF with each recurrent net; a difference of more than two standard errors is significant."""
    shallow = _accuracies(entries["imdb_tfidf"])
    recurrent = [name for name in NEEDS[5] if name not in ("imdb_tfidf", "imdb_nbsvm")]
    worse = [name for name in recurrent if _exceeds(shallow, _accuracies(entries[name]))]
    parts = [f"{name}: {_accuracy_text(entries[name])}" for name in NEEDS[5]]
    if len(worse) == len(recurrent):
        return "; ".join(parts), HOLDS
    others = ", ".join(name for name in recurrent if name not in worse)
    return "; ".join(parts), f"{HOLDS} against {', '.join(worse)}, not {others}" if worse else FAILS


def lstm(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    """Compare the LSTM with the plain RNN, the GRU and a net without recurrence, and with its pretrained variants.

    Differences are in percentage points of test accuracy.
    """
    gains = []
    for name, baseline in COMPARISONS:
        if name not in entries or baseline not in entries:  # experiments that no claim needs
            continue
        ours, theirs = _accuracies(entries[name]), _accuracies(entries[baseline])
        significant = _exceeds(ours, theirs) or _exceeds(theirs, ours)
        points = 100 * (np.mean(ours) - np.mean(theirs))
        gains.append(
            f"{name} {points:+.2f} points over {baseline} ({'significant' if significant else 'not significant'})"
        )
    lstm = _accuracies(entries["imdb_lstm"])
    over = [name for name in ("RNN", "GRU") if _exceeds(lstm, _accuracies(entries[f"imdb_{name.lower()}"]))]
    evidence = f"imdb_lstm: {_accuracy_text(entries['imdb_lstm'])}; " + "; ".join(gains)
    return evidence, f"gains over {' and '.join(over) or 'neither RNN nor GRU'}"


COMPARISONS = (  # a bag is the same net without its recurrent layer
    ("imdb_lstm", "imdb_rnn"),
    ("imdb_lstm", "imdb_gru"),
    ("imdb_lstm", "imdb_bag"),
    ("imdb_lstm_pseudo", "imdb_bag_pseudo"),
    ("imdb_lstm_pretrained", "imdb_lstm_unpretrained"),  # the same net from random weights
    ("imdb_lstm_vat", "imdb_lstm_pretrained"),  # the same net without virtual adversarial training
    ("imdb_lstm_pretrained", "imdb_lstm"),  # which has half the units, and embeddings from co-occurrences
)


def gan(entries: dict[str, list[Entry]]) -> tuple[str, str]:
    """Require all classes, 0.5 to 1.5 times the variance of real digits, and a precision above one half."""
    parts, good = [], []
    for name in NEEDS[7]:
        shared = set.intersection(*(set(entry["metrics"]) for entry in entries[name]))
        mean = {
            key: np.mean([entry["metrics"][f"test/{key}"] for entry in entries[name]])
            for key in GAN_KEYS
            if f"test/{key}" in shared
        }
        parts.append(
            f"{name}: {score(entries[name])} " + ", ".join(f"{key} {value:.3f}" for key, value in mean.items())
        )
        if mean["coverage"] > 0.95 and 0.5 < mean["variance_ratio"] < 1.5 and mean["precision"] > 0.5:
            good.append(name)
    if len(good) == len(NEEDS[7]):
        return "; ".join(parts), HOLDS
    return "; ".join(parts), f"{HOLDS} for {', '.join(good)} only" if good else FAILS


GAN_KEYS = (
    "fid_floor",
    "coverage",
    "variance_ratio",
    "precision",
    "recall",
    "classification_accuracy_score",  # of conditional generators
)


def _accuracies(entries: Sequence[Entry]) -> list[float]:
    return [entry["metrics"]["test/accuracy"] for entry in entries]


def _accuracy_text(entries: Sequence[Entry]) -> str:
    return f"{spread([100 * value for value in _accuracies(entries)], 2)} % (n = {len(entries)})"


def _exceeds(more: Sequence[float], less: Sequence[float]) -> bool:
    """Whether the mean of `more` exceeds that of `less` by more than two standard errors of their difference.

    The error is that of the seeds and that of a test set of 25,000 samples.
    """
    seeds = sum(np.var(values, ddof=1) / len(values) for values in (more, less))
    sampling = sum(np.mean(values) * (1 - np.mean(values)) / 25_000 for values in (more, less))
    return bool(np.mean(more) - np.mean(less) > 2 * np.sqrt(seeds + sampling))
