"""Evidence for the lecture's claims, one function each: from committed results or a cheap calculation."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.report.comparisons import RECURRENT, Groups
from pipeline.report.gradient_check import Differences
from pipeline.report.markdown import score, spread
from pipeline.runs.results import Result

HOLDS, PARTLY, FAILS, OPEN = "✓", "±", "✗", "?"  # the sign of a verdict


@dataclass(frozen=True, slots=True)
class Proof:
    """The evidence for or against a claim, the sign of the verdict, and the verdict as a sentence."""

    evidence: str
    sign: str
    verdict: str


# The experiments whose results are the evidence of each claim.
NEEDS = {
    1: (),
    2: ("mlp_xor",),
    3: ("backprop_mnist",),
    4: ("mnist_cnn", "mnist_cnn_best", "lecture_cnn"),
    5: ("imdb_tfidf", "imdb_nbsvm", *RECURRENT),
    6: ("imdb_rnn", "imdb_gru", "imdb_lstm", "imdb_bag", "imdb_lstm_pseudo", "imdb_bag_pseudo"),
    7: ("mnist_gan", "lecture_gan"),
}


def perceptron(entries: Groups) -> Proof:
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
    if (learned, never) == (14, 2) and worst <= 1:
        return Proof(
            evidence, HOLDS, "Holds: the 14 separable functions are learned from every start, the others never."
        )
    return Proof(evidence, FAILS, f"Does not hold: {learned} functions are learned from every start, {never} never.")


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


def xor(entries: Groups) -> Proof:
    runs = entries["mlp_xor"]
    learned = sum(run["metrics"]["test/accuracy"] == 1 for run in runs)
    evidence = f"learned by {learned} of {len(runs)} seeds (four hidden tanh units)"
    if learned == len(runs):
        return Proof(evidence, HOLDS, "Holds: every seed learns XOR.")
    return Proof(evidence, FAILS, f"Does not hold: {len(runs) - learned} of {len(runs)} seeds do not learn XOR.")


def backprop(gradient: Callable[[], Differences], entries: Groups) -> Proof:
    """Compare the hand-written gradient of a small float64 net with autograd and with finite differences."""
    found = gradient()
    close = found.autograd < 1e-6 and found.finite < 1e-6
    evidence = (
        f"{found.weights} weights: {'within' if close else 'not within'} 1e-6 of autograd and of finite differences; "
        f"trained with it on MNIST: {score(entries['backprop_mnist'])} ({len(entries['backprop_mnist'])} seeds)"
    )
    if close:
        return Proof(evidence, HOLDS, "Holds: the gradient by hand equals autograd’s and that of finite differences.")
    return Proof(evidence, FAILS, "Does not hold: the gradient by hand differs from autograd’s or finite differences.")


def cnn(entries: Groups) -> Proof:
    parts = [f"{name}: {score(entries[name])} ({len(entries[name])} seeds)" for name in NEEDS[4]]
    worst = min(_accuracies(entries["mnist_cnn"]))
    if worst > 0.99:
        return Proof(
            "; ".join(parts), HOLDS, "Holds: every seed of mnist_cnn recognises more than 99 % of the test digits."
        )
    return Proof(
        "; ".join(parts), FAILS, f"Does not hold: a seed of mnist_cnn recognises only {worst:.2%} of the digits."
    )


def tfidf(entries: Groups) -> Proof:
    """Compare TF-IDF with each recurrent net."""
    found = {name: entries.comparisons["imdb_tfidf", name] for name in RECURRENT}
    worse = [name for name, comparison in found.items() if comparison.better]
    parts = [f"{name}: {_accuracy_text(entries[name])}" for name in NEEDS[5]]
    evidence = "; ".join(parts + [f"imdb_tfidf {each.effect} over {name}" for name, each in found.items()])
    others = [name for name in RECURRENT if name not in worse]
    if not others:
        return Proof(evidence, HOLDS, "Holds: TF-IDF outperforms every recurrent net.")
    if not worse:
        return Proof(evidence, FAILS, "Does not hold: TF-IDF outperforms no recurrent net.")
    return Proof(evidence, PARTLY, f"Holds in part: TF-IDF outperforms {_listed(worse)}, but not {_listed(others)}.")


def lstm(entries: Groups) -> Proof:
    """Compare the LSTM with the plain RNN, the GRU and a net without recurrence, and with its pretrained variants.

    Differences are in percentage points of test accuracy.
    """
    gains = [
        f"{ours} {comparison.effect} over {theirs} ({'significant' if comparison.significant else 'not significant'})"
        for (ours, theirs), comparison in entries.comparisons.items()
        if ours.startswith("imdb_lstm")
    ]
    over = [name for name in ("RNN", "GRU") if entries.comparisons["imdb_lstm", f"imdb_{name.lower()}"].better]
    evidence = f"imdb_lstm: {_accuracy_text(entries['imdb_lstm'])}; " + "; ".join(gains)
    if len(over) == 2:
        return Proof(evidence, HOLDS, "Holds: the LSTM outperforms RNN and GRU.")
    if not over:
        return Proof(evidence, FAILS, "Does not hold: the LSTM is shown to outperform neither RNN nor GRU.")
    other = "GRU" if over == ["RNN"] else "RNN"
    return Proof(evidence, PARTLY, f"Holds in part: the LSTM outperforms the {over[0]}, but not the {other}.")


def gan(entries: Groups) -> Proof:
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
    evidence = "; ".join(parts)
    others = [name for name in NEEDS[7] if name not in good]
    if not others:
        return Proof(evidence, HOLDS, f"Holds: {_listed(good)} draw digits.")
    if not good:
        return Proof(evidence, FAILS, "Does not hold: no generator draws digits.")
    return Proof(evidence, PARTLY, f"Holds in part: {_listed(good)} draws digits, {_listed(others)} does not.")


GAN_KEYS = (
    "fid_floor",
    "coverage",
    "variance_ratio",
    "precision",
    "recall",
    "classification_accuracy_score",  # of conditional generators
)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _accuracies(entries: Sequence[Result]) -> list[float]:
    return [entry["metrics"]["test/accuracy"] for entry in entries]


def _accuracy_text(entries: Sequence[Result]) -> str:
    return f"{spread([100 * value for value in _accuracies(entries)], 2)} % (n = {len(entries)})"
