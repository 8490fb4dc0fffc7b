"""Measures of translations by hand, and the edit distance against its recursive definition."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.translation import edit_distance, exact_match_by_rule, metrics
from pipeline.types import Translations

SOME = Translations(
    ("apple", "pig", "dog", "string", "quick"),
    ("appleway", "igpay", "ogday", "ingstray", "ickquay"),
    ("appleway", "igpay", "oday", "ingstray", "ickqay"),
)
words = st.text("abc", max_size=6)


def test_exact_match_and_letter_errors_by_hand() -> None:
    # Three of five are right; a letter is missing in two of them, of 8 + 5 + 5 + 8 + 7 letters.
    assert metrics(SOME) == pytest.approx({"exact_match": 3 / 5, "letter_error_rate": 2 / 33})


def test_right_answers_are_counted_by_the_kind_of_the_source() -> None:
    assert exact_match_by_rule(SOME) == {"vowel": (1, 1), "consonant": (1, 2), "cluster": (1, 1), "qu": (0, 1)}


@pytest.mark.parametrize(
    ("one", "other", "distance"), [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
)
def test_edits_of_known_words(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


@given(words, words)
def test_edits_equal_their_recursive_definition(one: str, other: str) -> None:
    @cache
    def least(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(least(i - 1, j) + 1, least(i, j - 1) + 1, least(i - 1, j - 1) + (one[i - 1] != other[j - 1]))

    assert edit_distance(one, other) == least(len(one), len(other))
