"""Texts on disk: the same numbers as in memory, made once, and none of the texts left in memory."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.texts import encoded
from pipeline.data.texts.encoded import EncodedTexts, TextRow, TokenStore
from pipeline.data.texts.text_data import encode_truncated as in_memory
from pipeline.data.texts.vocabulary import Vocabulary, tokenize
from pipeline.errors import DataError

TEXTS = st.lists(st.text(alphabet="abcde ÄÖ'!<>.", max_size=40), min_size=1, max_size=20)


def stored(texts: list[str], folder: Path, source: str = "") -> TokenStore:
    return TokenStore.of((TextRow(text, "ab"[len(text) % 2]) for text in texts), folder, source)


@given(TEXTS, st.data(), st.sampled_from(["left", "right"]), st.integers(1, 8), st.integers(0, 3))
def test_what_is_read_from_disk_is_what_encoding_the_text_gives(
    texts: list[str], draw: st.DataObject, truncation_side: Literal["left", "right"], max_tokens: int, dropped: int
) -> None:
    rows = np.array(draw.draw(st.lists(st.integers(0, len(texts) - 1), unique=True)), dtype=int)
    chosen = [tokenize(texts[row]) for row in rows]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoded, "CHUNK", 5)  # several pieces, and a text longer than one
        tokens = stored(texts, Path(folder))
        counts = tokens.counts(rows)
        assert counts == Counter(word for text in chosen for word in text)
        vocabulary = Vocabulary.most_frequent(counts, 6, dropped)
        assert vocabulary == Vocabulary.of(chosen, 6, dropped)
        found = EncodedTexts(tokens, rows, vocabulary, max_tokens, truncation_side)
        expected = [in_memory(vocabulary, text, max_tokens, truncation_side).tolist() for text in chosen]
        assert [text.tolist() for text in found] == expected
        assert found.lengths.tolist() == list(map(len, expected))


def test_texts_are_split_once_and_again_only_where_their_source_is_another(tmp_path: Path) -> None:
    def must_not_be_read() -> Iterator[TextRow]:
        raise AssertionError
        yield

    one = stored(["a b", "c"], tmp_path)
    assert TokenStore.of(must_not_be_read(), tmp_path, "").digest == one.digest
    assert stored(["a b", "d"], tmp_path, "other bytes").digest != one.digest


@pytest.mark.parametrize("name", ["words", "bounds", "different", "index.json"])
def test_a_damaged_file_is_made_anew(name: str, tmp_path: Path) -> None:
    whole = {file.name: file.read_bytes() for file in stored(["a b", "c"], tmp_path).folder.iterdir()}
    (damaged,) = tmp_path.glob(f"texts/*/{name}")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert {file.name: file.read_bytes() for file in stored(["a b", "c"], tmp_path).folder.iterdir()} == whole


def test_a_source_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[TextRow]:
        yield TextRow("a", "b")
        raise DataError("torn")

    with pytest.raises(DataError, match="torn"):
        TokenStore.of(rows(), tmp_path, "")
    assert {path.suffix for path in (tmp_path / "texts").iterdir()} == {".lock"}


def test_classes_and_groups_are_numbered_in_alphabetic_order(tmp_path: Path) -> None:
    rows = [TextRow("x", "no", "tt2"), TextRow("y", "yes", "tt10"), TextRow("z", "maybe", "tt2")]
    tokens = TokenStore.of(iter(rows), tmp_path, "")
    assert tokens.labels == ("maybe", "no", "yes")
    assert tokens.label_indices().tolist() == [1, 2, 0]
    assert tokens.groups().tolist() == [1, 0, 1]


def test_equal_texts_without_a_group_are_one_group(tmp_path: Path) -> None:
    one, other, again = stored(["a b", "a", "a b"], tmp_path).groups().tolist()
    assert one == again != other


def test_memory_grows_by_some_bytes_a_text_and_not_by_the_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "CHUNK", 1000)

    def peak(count: int) -> int:
        tracemalloc.start()
        texts = (TextRow("word " * 200 + f"{number % 100}", "ab"[number % 2]) for number in range(count))
        tokens = TokenStore.of(texts, tmp_path, str(count))
        found = EncodedTexts(
            tokens, np.arange(count), Vocabulary.most_frequent(tokens.counts(np.arange(count)), 50), 99, "left"
        )
        assert sum(map(len, found)) == 99 * count
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory

    peak(10)
    few, many = peak(100), peak(4000)
    assert many - few < 3900 * 100  # of texts that have 1,000 bytes; other threads of the process take some, too
