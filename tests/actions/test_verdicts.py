"""The verdict on two trees' weights."""

import re

import pytest

from pipeline.actions.first_steps import StepsResult, digest
from pipeline.actions.verdicts import compare, pair

ONE, TWO = f"F32 [2] {'1' * 64}", f"F32 [2] {'2' * 64}"


def found(steps: int = 20, **tensors: str) -> StepsResult:
    return {"weights": digest(tensors), "tensors": tensors, "steps": steps, "seconds": 1.0}


def test_the_same_tensors_are_identical() -> None:
    assert compare("x", found(a=ONE, b=TWO), found(b=TWO, a=ONE)).verdict == "identical"


@pytest.mark.parametrize(
    ("now", "detail"),
    [
        (found(a=ONE, b=ONE), r"b first .*222222222222 then, .*111111111111 now; 1 differ"),
        (found(a=ONE), r"b first .* then, absent now; 1 differ"),
        (found(a=TWO, b=ONE), r"a first .*; 2 differ"),  # the same two, exchanged
        (found(a=ONE, c=ONE), r"b first .* then, absent now; 2 differ"),
        (found(steps=19, a=ONE, b=TWO), "20 steps before, 19 now"),
    ],
)
def test_what_differs_is_named(now: StepsResult, detail: str) -> None:
    verdict = compare("x", found(a=ONE, b=TWO), now)
    assert verdict.verdict == "different"
    assert re.search(detail, verdict.detail)
    assert "DIFFERENT" in str(verdict)


def test_a_tensor_under_another_name_is_identical_and_the_names_are_given() -> None:
    verdict = compare("x", found(a=ONE, b=TWO), found(a=ONE, c=TWO))
    assert verdict.verdict == "identical"
    assert "b then, c now" in verdict.detail


def test_an_error_or_missing_data_is_not_identical() -> None:
    broken = compare("x", found(a=ONE), {"error": "ValueError: no"})
    assert (broken.verdict, broken.detail) == ("error", "the working tree: ValueError: no")
    assert compare("x", {"missing": "imdb"}, {"missing": "imdb"}).verdict == "not compared"


def test_experiments_are_paired_by_their_names_now_and_before() -> None:
    now, before = ["mlp_xor", "imdb_lstm_vat", "new"], ["mlp_xor", "imdb_lstm_virtual", "gone"]
    pairs, unpaired = pair(now, before, everything=True)
    assert pairs == [("mlp_xor", "mlp_xor"), ("imdb_lstm_vat", "imdb_lstm_virtual")]
    assert [one.experiment for one in unpaired] == ["new", "gone"]
    assert [one.experiment for one in pair(now, before, everything=False)[1]] == ["new"]
