"""Comparisons of systems: against scipy's bootstrap and McNemar's test, and Holm's by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from pipeline.evaluation import comparison


def two_systems(only_ours: int, only_theirs: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Which of `n` samples each of two systems predicts correctly; they differ on the first ones."""
    ours, theirs = np.ones((1, n), bool), np.ones((1, n), bool)
    theirs[0, :only_ours] = False
    ours[0, only_ours : only_ours + only_theirs] = False
    return ours, theirs


@pytest.mark.parametrize(("only_ours", "only_theirs"), [(60, 40), (30, 30), (50, 20)])
def test_a_single_pair_agrees_with_mcnemars_exact_test(only_ours: int, only_theirs: int) -> None:
    found = comparison.paired(*two_systems(only_ours, only_theirs))
    assert found.value == pytest.approx((only_ours - only_theirs) / 2000)
    exact = binomtest(only_ours, only_ours + only_theirs).pvalue
    assert found.p == pytest.approx(exact, abs=0.04)
    error = np.sqrt(only_ours + only_theirs) / 2000  # of the difference of two dependent shares, the mean being small
    assert (found.low, found.high) == pytest.approx((found.value - 1.96 * error, found.value + 1.96 * error), abs=1e-3)


def test_pairing_finds_what_two_accuracies_alone_do_not_show() -> None:
    ours, theirs = two_systems(only_ours=24, only_theirs=4)
    assert comparison.paired(ours, theirs).p < 0.01
    hard = np.arange(2000) % 2 == 0  # samples that both get wrong
    accuracies = [(ours[0] & hard).mean(), (theirs[0] & hard).mean()]
    assert comparison.unpaired([accuracies[0]], [accuracies[1]], 2000).p > 0.3


def test_the_spread_of_seeds_widens_the_interval() -> None:
    ours, theirs = two_systems(60, 40)
    steady = comparison.paired(np.repeat(ours, 3, axis=0), np.repeat(theirs, 3, axis=0))
    poor = ours.copy()
    poor[0, 1000:1100] = False
    varied = comparison.paired(np.concatenate([ours, poor, ours]), np.repeat(theirs, 3, axis=0))
    assert varied.high - varied.low > 2 * (steady.high - steady.low)


def test_unpaired_accuracies_are_compared_by_hand() -> None:
    ours, theirs = [0.9, 0.92], [0.85, 0.85]
    error = np.sqrt(0.0002 / 2 + 0.91 * 0.09 / 1000 + 0.85 * 0.15 / 1000)
    found = comparison.unpaired(ours, theirs, 1000)
    assert found.value == pytest.approx(0.06)
    assert found.p == pytest.approx(2 * norm.sf(0.06 / error))
    assert (found.low, found.high) == pytest.approx((0.06 - norm.isf(0.025) * error, 0.06 + norm.isf(0.025) * error))


def test_equal_systems_without_any_spread_do_not_differ() -> None:
    assert comparison.unpaired([1.0], [1.0], 4).p == 1
    ours, _ = two_systems(0, 0)
    assert comparison.paired(ours, ours).p == 1


def test_holms_adjustment_by_hand() -> None:
    assert comparison.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert comparison.holm([0.5, 0.9]) == [1.0, 1.0]
    assert comparison.holm([]) == []
