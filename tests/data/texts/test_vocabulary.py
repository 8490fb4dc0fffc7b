"""Splitting texts into words, and numbering them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.texts.vocabulary import PADDING, UNKNOWN, Vocabulary, tokenize
from pipeline.errors import CheckpointError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't GOOD.<br /><br />8/10!", ["it", "isn't", "good", "8", "10", "!"]),
        ("Amélie — très bien?", ["amélie", "très", "bien", "?"]),
        ("naïve_words 'quoted' rock'n'roll", ["naïve", "words", "quoted", "rock'n'roll"]),
        ("<br />", []),
        ("a < b > c", ["a", "c"]),
        ("", []),
    ],
)
def test_words_worked_by_hand(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@given(st.text())
def test_any_text_is_split_into_lower_case_words_without_spaces(text: str) -> None:
    for word in tokenize(text):
        assert word
        assert not any(sign.isspace() for sign in word)


def test_the_commonest_words_come_first_and_ties_in_alphabetic_order() -> None:
    vocabulary = Vocabulary.of([["b", "a", "c"], ["c", "b", "c"], ["z"]], size=3)
    assert vocabulary.words == ("c", "b", "a")
    assert len(vocabulary) == 5
    assert vocabulary.encode(["a", "z", "c"]) == [4, UNKNOWN, 2]


def test_the_commonest_words_can_be_left_out_and_nothing_becomes_one_unknown_word() -> None:
    vocabulary = Vocabulary(("the", "a", "film"), dropped=2)
    assert vocabulary.encode(["the", "film", "a", "zzz"]) == [4, UNKNOWN]
    assert vocabulary.encode(["the"]) == vocabulary.encode([]) == [UNKNOWN]


@given(st.lists(st.text(st.characters(categories=["Ll"]), min_size=1), unique=True), st.integers(0, 3))
def test_a_stored_vocabulary_is_the_same_and_never_encodes_padding(known: list[str], dropped: int) -> None:
    import tempfile

    vocabulary = Vocabulary(tuple(known), dropped)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary.save(Path(folder))
        again = Vocabulary.load(Path(folder))
    assert (again, again.digest) == (vocabulary, vocabulary.digest)
    assert PADDING not in again.encode([*known, "not known"])


def test_a_torn_vocabulary_is_named(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.txt").write_text("not a number\nword\n")
    with pytest.raises(CheckpointError, match=r"vocabulary\.txt: not a vocabulary"):
        Vocabulary.load(tmp_path)


@given(st.text(alphabet=st.sampled_from("abAB01 '!?<>/._-\"\n\té’İß"), max_size=60))
def test_words_are_those_of_the_definition(text: str) -> None:
    without_tags = re.sub(r"<[^<>]{0,100}>", " ", text)
    assert tokenize(text) == re.findall(r"[^\W_]+(?:['’][^\W_]+)*|[!?]", without_tags.lower())


def test_words_are_the_same_in_a_turkish_locale() -> None:
    """In Turkish the lower case of I is ı; English words may not depend on where the program runs."""
    text = "IN IT I'M Istanbul"
    code = (
        f"from pipeline.data.texts.vocabulary import tokenize; print(*tokenize({text!r}), *tokenize({text + ' é'!r}))"
    )
    environment = {**os.environ, "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["in", "it", "i'm", "istanbul", "in", "it", "i'm", "istanbul", "é"]
