"""Rosenblatt's rule: a trace by hand, Novikoff's bound, the sixteen Boolean functions, and the averaged weights."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.toy2d.toy2d_data import gate
from pipeline.errors import ConfigError
from pipeline.models.perceptron import AssociationUnits, Perceptron, Rule


def learn(net: Perceptron, inputs: torch.Tensor, labels: torch.Tensor) -> int:
    """One pass; how many answers were wrong."""
    change, right = net.online_update(inputs, labels)
    with torch.no_grad():
        net.weights_KD.add_(change)
    return int((~right).sum())


def test_and_is_learned_along_the_trace_worked_by_hand() -> None:
    net = Perceptron([2], 2, "one_vs_all", averaged=False)
    # (w1, w2, bias) of the unit that fires for 1, after each pass over 00, 01, 10, 11.
    trace = [(1, 1, 0), (2, 1, -1), (2, 1, -2), (2, 2, -2), (3, 2, -2), (3, 2, -3), (3, 3, -3), (3, 2, -4), (3, 2, -4)]
    for weights in trace:
        mistakes = learn(net, *gate("and"))
        assert tuple(net.weights_KD[1].tolist()) == weights
    assert mistakes == 0


def one_by_one(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray, rule: str) -> list[np.ndarray]:
    """The rule as it is told: a loop over samples, the weights after each."""
    after = []
    for sample, label in zip(inputs, labels, strict=True):
        scores = weights @ sample
        if rule == "one_vs_all":
            for unit in range(len(weights)):
                target = 1 if unit == label else -1
                if target * scores[unit] <= 0:
                    weights = weights + target * np.outer(np.arange(len(weights)) == unit, sample)
        else:
            rival = max((unit for unit in range(len(weights)) if unit != label), key=lambda unit: scores[unit])
            if scores[rival] >= scores[label]:
                weights = weights + np.outer(1.0 * (np.arange(len(weights)) == label), sample)
                weights = weights - np.outer(1.0 * (np.arange(len(weights)) == rival), sample)
        after.append(weights)
    return after


@given(st.sampled_from(["one_vs_all", "multiclass"]), st.integers(0, 1000))
def test_a_batch_is_learned_exactly_as_its_samples_one_after_the_other(rule: Rule, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = Perceptron([5], 3, rule, averaged=True).double()
    inputs, labels = rng.integers(-3, 4, (24, 5)), rng.integers(0, 3, 24)  # whole numbers, so that sums are exact
    after = one_by_one(np.zeros((3, 6)), np.c_[inputs, np.ones(24)], labels, rule)
    for part in (slice(0, 9), slice(9, 24)):
        learn(net, torch.tensor(inputs[part], dtype=torch.double), torch.tensor(labels[part]))
    np.testing.assert_array_equal(net.weights_KD.detach().numpy(), after[-1])
    np.testing.assert_allclose((net.total_KD / net.seen).numpy(), np.mean(after, axis=0))


def test_fourteen_of_the_sixteen_boolean_functions_are_learned_and_xor_is_not() -> None:
    learned = []
    for answers in itertools.product("01", repeat=4):
        net = Perceptron([2], 2, "one_vs_all", averaged=False)
        wrong = [learn(net, *gate("".join(answers))) for _ in range(50)]
        learned.append("".join(answers)) if wrong[-1] == 0 else None
    every = {"".join(answers) for answers in itertools.product("01", repeat=4)}
    assert every - set(learned) == {"0110", "1001"}


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_mistakes_on_separable_points_stay_below_novikoffs_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, truth = rng.normal(size=(40, 3)), rng.normal(size=4)
    inputs = np.c_[points, np.ones(40)]
    margins = inputs @ truth / np.linalg.norm(truth)
    kept = np.abs(margins) > 0.1
    if not kept.any():
        return
    inputs, margins = inputs[kept], margins[kept]
    bound = (np.linalg.norm(inputs, axis=1).max() / np.abs(margins).min()) ** 2
    net = Perceptron([3], 2, "one_vs_all", averaged=False).double()
    x, y = torch.tensor(inputs[:, :3]), torch.tensor((margins > 0).astype(int))
    mistakes = 0
    while wrong := learn(net, x, y):
        mistakes += wrong
        assert mistakes <= bound


def test_association_units_fire_where_the_weighted_sum_of_their_patch_exceeds_the_threshold() -> None:
    torch.manual_seed(0)
    units = AssociationUnits([1, 9, 8], units=5, patch=3, threshold=0.4)
    images = torch.rand(7, 1, 9, 8)
    fired = units(images)
    expected = [
        [
            float((weights * image[:, top : top + 3, left : left + 3]).sum() > 0.4)
            for weights in units.weights
            for top in (0, 2, 4, 6)
            for left in (0, 2, 4)
        ]
        for image in images
    ]
    assert fired.tolist() == expected
    assert units.count == fired.shape[1] == 5 * 4 * 3
    assert 0 < fired.mean() < 0.5


def test_association_units_are_never_trained_and_never_fire_at_nothing() -> None:
    units = AssociationUnits([1, 9, 8], units=5, patch=3, threshold=0.0)
    assert units(torch.zeros(1, 1, 9, 8)).sum() == 0
    assert not list(units.parameters())
    torch.testing.assert_close(units.weights.flatten(1).norm(dim=1), torch.ones(5))


def test_an_unknown_rule_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown rule 'delta'\. Choose one of one_vs_all, multiclass"):
        Perceptron([2], 2, "delta", averaged=False)  # type: ignore[arg-type]
