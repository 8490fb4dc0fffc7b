"""Shifts of texts, by hand."""

import pytest

from pipeline.evaluation.text_shifts import BLAME, NOUNS, PRAISE, negated, truncated, with_typos

TEXT = "It was a wonderful film, <br />though the 1980s plot is thin."


def distance_1(word: str, typo: str) -> bool:
    """Whether a word becomes another by one letter that is dropped, doubled, replaced or swapped with the next."""
    dropped = {word[:at] + word[at + 1 :] for at in range(len(word))}
    doubled = {word[:at] + word[at] + word[at:] for at in range(len(word))}
    swapped = {word[:at] + word[at : at + 2][::-1] + word[at + 2 :] for at in range(len(word))}
    replaced = len(word) == len(typo) and sum(a != b for a, b in zip(word, typo, strict=True)) <= 1
    return replaced or typo in dropped | doubled | swapped


def test_strength_0_changes_nothing() -> None:
    assert with_typos([TEXT], 0) == [TEXT]
    assert truncated([TEXT], 0) == [TEXT]


def test_each_word_has_at_most_one_typo_and_a_single_letter_has_none() -> None:
    (typed,) = with_typos([TEXT], 1)
    words = list(zip(TEXT.split(" "), typed.split(" "), strict=True))
    assert all(distance_1(word, typo) for word, typo in words)
    assert sum(word != typo for word, typo in words) > len(words) / 2
    assert typed.split(" ")[2] == "a"


def test_the_share_of_words_with_typos_is_the_given_one() -> None:
    text = " ".join(["wonderful"] * 5000)
    changed = sum(word != "wonderful" for word in with_typos([text], 0.2)[0].split(" "))
    assert 0.17 < changed / 5000 < 0.21  # a letter may be swapped with or replaced by its like
    assert with_typos([text], 0.2) == with_typos([text], 0.2)


@pytest.mark.parametrize(("share", "expected"), [(0.5, "one two"), (0.75, "one"), (1, "one")])
def test_the_end_of_a_text_is_cut_off_to_the_last_but_one_word(share: float, expected: str) -> None:
    assert truncated(["one two three four"], share) == [expected]


@pytest.mark.parametrize(("adjective", "praise"), [("good", True), ("bad", False)])
def test_a_negation_turns_praise_into_blame_and_back(adjective: str, praise: bool) -> None:
    plain, without = (dict(zip(*negated(distance), strict=True)) for distance in (0, 1))
    assert plain[f"The film is {adjective}."] is praise
    assert without[f"The film is not {adjective}."] is not praise


@pytest.mark.parametrize("distance", [0, 1, 3, 6])
def test_the_negation_is_so_many_words_before_the_adjective(distance: int) -> None:
    texts, truth = negated(distance)
    words = texts[0].removesuffix(".").split(" ")
    assert (words.index("not") if distance else len(words) - 1) == len(words) - 1 - distance
    assert len(set(texts)) == len(texts) == len(NOUNS) * (len(PRAISE) + len(BLAME))
    assert sum(truth) == len(truth) / 2
