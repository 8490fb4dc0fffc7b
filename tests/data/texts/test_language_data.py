"""What a language model reads: all there is to learn from, nothing that is measured."""

from pathlib import Path

import pytest

from pipeline.config import build_data, load_config, resolve
from tests.conftest import TINY_TEXT


def test_it_reads_train_and_the_texts_without_a_label_but_neither_validation_nor_test(tiny_imdb: Path) -> None:
    config = resolve(load_config("experiment=imdb_lm", *TINY_TEXT[1:]))
    data, labelled = build_data(config, tiny_imdb / "data"), resolve(load_config("model=lstm", *TINY_TEXT))
    data.setup()
    read = {" ".join(data.vocabulary.words[number - 2] for number in text.tolist()) for text in data.splits["train"][0]}
    assert len(data.splits["train"][0]) == 60 + 20
    assert data.describe().rows == {"train": 60 + 20, "val": 20, "test": 40}
    assert read == {*data.texts["train"], *data.unlabeled_texts()}
    assert not read & {*data.texts["val"], *data.texts["test"]}
    twin = build_data(labelled, tiny_imdb / "data")
    twin.setup()
    assert data.vocabulary == twin.vocabulary
    assert sum(len(tokens) for tokens, _ in data.val_dataloader()) == 20


def test_of_a_large_split_some_texts_are_measured_evenly_spread(tiny_imdb: Path, monkeypatch: object) -> None:
    import pipeline.data.texts.language_data as module

    monkeypatch.setattr(module, "EVALUATED", 7)  # type: ignore[attr-defined]
    data = build_data(resolve(load_config("experiment=imdb_lm", *TINY_TEXT[1:])), tiny_imdb / "data")
    ((tokens, _),) = data.batches("test")
    assert len(tokens) == data.describe().rows["test"] == 7
    words = [" ".join(data.vocabulary.words[number - 2] for number in row.tolist() if number) for row in tokens]
    whole = build_data(resolve(load_config("model=lstm", *TINY_TEXT)), tiny_imdb / "data")
    assert words == whole.texts["test"][:35:5]


def test_shares_count_the_words_of_train(tiny_imdb: Path) -> None:
    data = build_data(resolve(load_config("experiment=imdb_lm", *TINY_TEXT[1:])), tiny_imdb / "data")
    data.setup()
    said = [word for text in (*data.texts["train"], *data.unlabeled_texts()) for word in text.split()]
    shares_V = data.unigram_probabilities()
    assert len(shares_V) == 60
    great, absent = 2 + data.vocabulary.words.index("great"), 59
    assert float(shares_V[great]) == pytest.approx((said.count("great") + 0.5) / (len(said) + 30), rel=1e-6)
    assert float(shares_V[absent]) == pytest.approx(0.5 / (len(said) + 30), rel=1e-6)
    assert float(shares_V.sum()) == pytest.approx(1, rel=1e-6)
