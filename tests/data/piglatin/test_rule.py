"""The rule against words worked by hand and a second form of it; sentences; splits and batches of words."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import build_data, load_config, resolve
from pipeline.data.piglatin.piglatin_data import PigLatinData, word_list
from pipeline.data.piglatin.rule import decode, encode, onset, pig_latin, rule_case, translate
from pipeline.errors import ConfigError
from pipeline.types import END, PAD

BY_HAND = {
    # a vowel first
    "apple": "appleway",
    "it": "itway",
    "under": "underway",
    # one consonant
    "pig": "igpay",
    "latin": "atinlay",
    "happy": "appyhay",
    # several
    "string": "ingstray",
    "glove": "oveglay",
    "school": "oolschay",
    # "qu" moves together, "q" alone does not take a vowel along
    "quick": "ickquay",
    "square": "aresquay",
    "qatar": "atarqay",
    # y is a consonant where it comes first, a vowel elsewhere
    "yellow": "ellowyay",
    "rhythm": "ythmrhay",
    "my": "ymay",
    "style": "ylestay",
    "y": "yay",
    # no vowel at all
    "hmm": "hmmay",
    "tv": "tvay",
}
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
likely_words = st.text("aquyst", min_size=1, max_size=6)  # where the rule's cases meet


@pytest.fixture(scope="module")
def english() -> list[str]:
    return word_list(30_000, longest=14)


@pytest.mark.parametrize("word", BY_HAND)
def test_the_rule_gives_the_translation_worked_by_hand(word: str) -> None:
    assert pig_latin(word) == BY_HAND[word]


def in_one_expression(word: str) -> str:
    """The rule once more, written as a regular expression."""
    moved = re.compile(r"(y?(?:qu|[bcdfghjklmnpqrstvwxz])*)(.*)")
    found = moved.fullmatch(word)
    assert found
    return f"{found[2]}{found[1]}ay" if found[1] else f"{word}way"


def test_the_rule_equals_its_second_form_on_every_word_of_the_list(english: list[str]) -> None:
    assert [word for word in english if pig_latin(word) != in_one_expression(word)] == []


@given(words | likely_words)
def test_the_rule_equals_its_second_form_on_any_letters(word: str) -> None:
    assert pig_latin(word) == in_one_expression(word)


@given(words | likely_words)
def test_a_translation_keeps_every_letter_and_is_a_rotation_before_its_ending(word: str) -> None:
    body = pig_latin(word).removesuffix("way" if onset(word) == 0 else "ay")
    assert len(body) == len(word)
    assert body in word + word


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("apple", "vowel"),
        ("antique", "vowel"),
        ("pig", "consonant"),
        ("yes", "consonant"),
        ("qatar", "consonant"),
        ("string", "cluster"),
        ("tv", "cluster"),
        ("quick", "qu"),
        ("square", "qu"),
    ],
)
def test_a_word_is_of_the_kind_of_its_beginning(word: str, expected: str) -> None:
    assert rule_case(word) == expected


def by_rule(words: Sequence[str]) -> list[str]:
    return [pig_latin(word) for word in words]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("", ""),
        ("The quick brown fox!", "Ethay ickquay ownbray oxfay!"),
        ("  two  spaces,\nand a line ", "  otway  acesspay,\nandway away inelay "),
        ("HELLO, I am Anne.", "ELLOHAY, Iway amway Anneway."),
        ("John's dog didn't bark.", "Ohnjay's ogday idnday't arkbay."),
        ("'single' “double” well-known", "'inglesay' “oubleday” ellway-ownknay"),
        ("the 3rd café in Ωmega, 42", "ethay 3rd café inway Ωmega, 42"),
        ("cafe\u0301 time", "café imetay"),
        ("日本 🙂 ...", "日本 🙂 ..."),
    ],
)
def test_a_sentence_keeps_punctuation_spaces_capitals_and_what_is_not_a_to_z(sentence: str, expected: str) -> None:
    assert translate(sentence, by_rule) == expected


@given(st.text() | st.text("aByQu'’é\u03013_ -.\n"))
def test_of_any_text_only_runs_of_a_to_z_change_and_reach_the_translator_in_lower_case(text: str) -> None:
    def watched(words: Sequence[str]) -> list[str]:
        assert all(re.fullmatch("[a-z]+", word) for word in words)
        return by_rule(words)

    without_letters = [
        re.sub("[A-Za-z]", "", each) for each in (unicodedata.normalize("NFC", text), translate(text, watched))
    ]
    assert without_letters[0] == without_letters[1]


@given(st.lists(words, max_size=5))
def test_a_sentence_of_words_is_the_words_translations(chosen: list[str]) -> None:
    assert translate(" ".join(chosen), by_rule) == " ".join(by_rule(chosen))


@given(st.lists(words, min_size=1, max_size=5))
def test_words_become_symbols_and_words_again(chosen: list[str]) -> None:
    assert decode(encode(chosen, 13, ended=True)) == chosen
    assert decode(encode(chosen, 12)) == chosen


def test_symbols_are_padding_the_end_and_the_letters_in_their_order() -> None:
    assert encode(["abz"], 5, ended=True).tolist() == [[2, 3, 27, END, PAD]]


def test_letters_after_the_end_are_not_part_of_the_word() -> None:
    assert decode(torch.tensor([[2, 3, END, 4], [END, 2, 2, 2]])) == ["ab", ""]


def test_the_list_is_frequent_words_of_a_to_z_each_once(english: list[str]) -> None:
    assert english[:5] == ["the", "to", "and", "of", "in"]
    assert len(set(english)) == len(english) == 30_000
    assert all(re.fullmatch("[a-z]{2,14}", word) for word in english)


def make(batch_size: int = 16, words: int = 300, val_size: int = 50, seed: int = 0) -> PigLatinData:
    return PigLatinData("piglatin", 28, 14, 18, batch_size, words, val_size, test_size=60, folder=Path(), seed=seed)


def test_no_word_is_in_two_splits_and_every_word_is_in_one() -> None:
    data = make()
    assert data.describe().rows == {"train": 190, "val": 50, "test": 60}
    assert sorted(chain(*data.words.values())) == sorted(word_list(300, longest=14))


def test_the_split_and_its_digest_are_the_same_for_every_seed_and_differ_with_the_words() -> None:
    assert make(seed=1).describe() == make().describe()
    assert make(words=299).describe().digest != make().describe().digest
    assert make(val_size=49).describe().digest != make().describe().digest


def test_a_batch_holds_words_beside_their_translations_as_wide_as_its_longest() -> None:
    data = make()
    sources, targets = next(data.batches("test"))
    assert decode(sources) == data.words["test"]
    assert decode(targets) == by_rule(data.words["test"])
    assert sources.shape[1] == max(map(len, data.words["test"]))
    assert targets.shape[1] == max(map(len, by_rule(data.words["test"]))) + 1
    assert ((targets == END).sum(dim=1) == 1).all()
    assert not (sources == END).any()


def epoch(seed: int = 0, number: int = 0) -> list[list[str]]:
    """The words of each batch of an epoch."""
    data = make(seed=seed)
    data.setup()
    return [decode(sources) for sources, _ in data.train_dataloader(epoch=lambda: number)]


def test_the_order_is_that_of_seed_and_epoch() -> None:
    orders = [epoch(0, 0), epoch(0, 1), epoch(1, 0)]
    assert epoch() == orders[0]
    assert all(one != other for one, other in pairwise([*orders, orders[0]]))


def test_the_recipe_builds_this_data(tmp_path: Path) -> None:
    data = build_data(resolve(load_config("experiment=piglatin_seq2seq", "data.words=100000")), tmp_path)
    with pytest.raises(ConfigError, match=r"data\.words: 100000, but there are only \d+ of 2 to 14"):
        data.setup()


def test_splits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.val_size \+ data\.test_size: 300 of 300"):
        make(val_size=240).setup()


def test_steps_that_do_not_suffice_for_the_longest_answer_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected 28 and 18\. Set data\.steps to data\.longest \+ 4"):
        PigLatinData("piglatin", 28, 14, 17, 16, 300, 50, 60, folder=Path())
