"""Reviews as numbered words, and their split by film."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import build_data, load_config, resolve
from pipeline.data import store
from pipeline.data.texts.text_data import TextData, encode_truncated, group_holdout
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.errors import ConfigError
from tests.conftest import TINY_TEXT


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(1, 30), st.integers(0, 9))
def test_a_film_is_held_out_whole_or_not_at_all(films: list[str], size: int, seed: int) -> None:
    held_out = group_holdout(films, size, seed)
    for film in set(films):
        assert len({out for out, other in zip(held_out, films, strict=True) if other == film}) == 1
    assert sum(held_out) >= min(size, len(films))


def data(project: Path, *overrides: str) -> TextData:
    made: TextData = build_data(resolve(load_config("model=rnn", *TINY_TEXT, *overrides)), project / "data")
    return made


def test_reviews_become_numbered_words_from_the_vocabulary_of_train_alone(tiny_imdb: Path) -> None:
    reviews = data(tiny_imdb)
    reviews.setup()
    assert reviews.describe().rows == {"train": 60, "val": 20, "test": 40}
    assert reviews.vocabulary == Vocabulary.of((text.split() for text in reviews.texts["train"]), 58)
    tokens, labels = next(iter(reviews.batches("test")))
    assert tokens.shape[0] == len(labels) == 40
    first = [reviews.vocabulary.words[number - 2] for number in tokens[1].tolist() if number]
    assert first == reviews.texts["test"][1].split()
    assert labels[1] == 1


def test_texts_that_stand_in_train_too_are_known(tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = data(tiny_imdb).texts["val"][0]
    path = tiny_imdb / "data/imdb/test.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = json.dumps({**json.loads(lines[3]), "text": known}) + "\n"
    path.write_text("".join(lines))
    monkeypatch.setattr(store, "verify", lambda *_: None)
    monkeypatch.setattr(store, "digest", lambda _: "of other bytes")
    assert data(tiny_imdb).seen_in_train("test").nonzero()[0].tolist() == [3]


def test_of_a_long_text_the_first_or_last_words_stay() -> None:
    vocabulary = Vocabulary(("a", "b", "c"))
    assert encode_truncated(vocabulary, ["a", "b", "c"], 2, "left").tolist() == [3, 4]
    assert encode_truncated(vocabulary, ["a", "b", "c"], 2, "right").tolist() == [2, 3]
    assert encode_truncated(vocabulary, [], 2, "right").tolist() == [1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.truncation_side=middle", "data.truncation_side: expected left or right"),
        ("data.val_size=80", "leaves none to train on"),
    ],
)
def test_what_can_not_be_done_is_said(override: str, message: str, tiny_imdb: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        data(tiny_imdb, override).describe()
