"""A teacher's answers stand in the place of the labels that the unlabelled texts do not have."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.baselines import NaiveBayesLogistic
from pipeline.data.embeddings import Embeddings
from pipeline.data.raw import read_jsonl
from pipeline.data.teacher import taught
from pipeline.data.text import TextData


def data(root: Path) -> TextData:
    teacher = NaiveBayesLogistic(ngrams=1, min_df=1, C=1.0)
    return TextData("imdb", 2, 60, 20, "last", 0, 8, 16, teacher=teacher, folder=root / "data")


def test_train_holds_the_true_labels_and_then_the_teachers_answers(tiny_imdb: Path) -> None:
    learned = data(tiny_imdb)
    learned.setup()
    texts, shares = learned.splits["train"]
    labelled = len(learned.truth["train"])
    assert len(texts) == len(shares) == labelled + 20
    assert torch.equal(shares[:labelled].argmax(dim=1), learned.truth["train"])
    assert set(shares[:labelled].flatten().tolist()) == {0.0, 1.0}
    unlabelled = [row["text"] for row in read_jsonl(tiny_imdb / "data/imdb/unsup.jsonl")]
    by_hand = NaiveBayesLogistic(ngrams=1, min_df=1, C=1.0)
    by_hand.fit(learned.texts["train"], learned.truth["train"].numpy())
    np.testing.assert_allclose(shares[labelled:].numpy(), by_hand.probabilities(unlabelled), atol=1e-6)


def test_neither_validation_nor_test_learns_anything_from_the_teacher(tiny_imdb: Path) -> None:
    learned = data(tiny_imdb)
    learned.setup()
    assert learned.splits["val"][1].dtype == torch.int64
    assert sum(len(labels) for _, labels in learned.batches("test")) == 40


class Counting:
    """A teacher that says how often it was asked, and knows one answer."""

    asked = 0

    def __init__(self, answer: float):
        self.answer = answer

    def fit(self, texts: Sequence[str], truth_N: np.ndarray) -> None:
        pass

    def probabilities(self, texts: Iterable[str]) -> np.ndarray:
        Counting.asked += 1
        return np.array([[1 - self.answer, self.answer] for _ in texts])


@pytest.mark.parametrize("changed", ["settings", "texts", "source"])
def test_answers_are_asked_for_once_and_again_only_where_something_changed(changed: str, tmp_path: Path) -> None:
    def ask(answer: float, text: str, source: str) -> torch.Tensor:
        return taught(Counting(answer), [text], torch.tensor([1]), lambda: ["a", "b"], tmp_path, source)

    Counting.asked = 0
    first = ask(0.75, "good", "0")
    assert torch.equal(first, ask(0.75, "good", "0"))
    assert torch.equal(first, torch.tensor([[0.25, 0.75]] * 2))
    assert Counting.asked == 1
    ask(0.5 if changed == "settings" else 0.75, "bad" if changed == "texts" else "good", "1" * (changed == "source"))
    assert Counting.asked == 2


def test_a_stored_teachers_answers_are_set_from_outside_and_without_them_train_is_what_has_labels(
    tiny_imdb: Path,
) -> None:
    def learned() -> TextData:
        return TextData("imdb", 2, 60, 20, "last", 0, 8, 16, teacher="imdb_nbsvm-0", folder=tiny_imdb / "data")

    answers_NK = torch.tensor([[0.3, 0.7]]).repeat(20, 1)
    alone, taught = learned(), learned()
    taught.answers_NK = answers_NK
    alone.setup()
    taught.setup()
    assert len(alone.splits["train"][0]) == len(alone.truth["train"])
    assert torch.equal(taught.splits["train"][1][len(alone.truth["train"]) :], answers_NK)


def test_each_text_without_a_label_is_followed_by_its_pieces_with_the_answers_to_these(tiny_imdb: Path) -> None:
    learned = TextData("imdb", 2, 60, 20, "last", 0, 8, 16, pieces=2, folder=tiny_imdb / "data")
    alone = TextData("imdb", 2, 60, 20, "last", 0, 8, 16, folder=tiny_imdb / "data")
    whole, told = list(alone.unlabelled()), list(learned.unlabelled())
    assert told[::3] == whole
    assert [f"{one} {other}" for one, other in zip(told[1::3], told[2::3], strict=True)] == whole
    assert all(
        abs(len(one.split()) - len(other.split())) <= 1 for one, other in zip(told[1::3], told[2::3], strict=True)
    )
    learned.answers_NK = torch.rand(60, 2)
    learned.setup()
    (texts, labels_NK), labelled = learned.splits["train"], len(learned.truth["train"])
    assert torch.equal(labels_NK[labelled:], learned.answers_NK)
    said = [" ".join(learned.vocabulary.words[number - 2] for number in text.tolist()) for text in texts[labelled:]]
    assert said == told


def test_word_vectors_are_made_of_whole_texts(tiny_imdb: Path) -> None:
    made = []
    for pieces in (2, 0):
        data = TextData(
            "imdb", 2, 60, 20, "last", 0, 8, 16, Embeddings(4, 2, 20), None, 0, pieces, folder=tiny_imdb / "data"
        )
        data.setup()
        vectors = data.vectors()
        assert vectors is not None
        made.append(vectors)
        for kept in (tiny_imdb / ".cache").glob("embeddings-*"):
            kept.unlink()
    assert torch.equal(*made)


def test_without_a_teacher_an_epoch_has_each_label_as_often_as_told_and_the_others_once_without_one(
    tiny_imdb: Path,
) -> None:
    learned = TextData("imdb", 2, 60, 20, "last", 0, 8, 16, rounds=2, folder=tiny_imdb / "data")
    alone = TextData("imdb", 2, 60, 20, "last", 0, 8, 16, folder=tiny_imdb / "data")
    learned.setup()
    alone.setup()
    (texts, labels_NK), (known, truth_N) = learned.splits["train"], alone.splits["train"]
    labelled = len(known)
    assert len(texts) == len(labels_NK) == 2 * labelled + 20
    assert torch.equal(labels_NK[: 2 * labelled].argmax(dim=1), truth_N.repeat(2))
    assert torch.equal(labels_NK.sum(dim=1), torch.tensor([1.0] * 2 * labelled + [0.0] * 20))
    assert all(torch.equal(one, other) for one, other in zip(texts[: 2 * labelled], [*known, *known], strict=True))
