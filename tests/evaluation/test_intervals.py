"""Intervals against scipy's."""

import pytest
from scipy.stats import binomtest

from pipeline.evaluation.intervals import wilson


@pytest.mark.parametrize(("right", "n"), [(9957, 10_000), (0, 4), (4, 4), (1, 2), (22_273, 25_000)])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_wilsons_interval_equals_scipys(right: int, n: int, confidence: float) -> None:
    expected = binomtest(right, n).proportion_ci(confidence, method="wilson")
    assert wilson(right / n, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)
