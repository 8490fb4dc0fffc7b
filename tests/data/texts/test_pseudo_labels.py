"""Pseudo-labels: a teacher's predictions stand in the place of the labels that the unlabelled texts do not have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.texts.embeddings import Embeddings
from pipeline.data.texts.pseudo_labels import Predict, teacher_predictions
from pipeline.data.texts.text_data import TextData

PREDICTIONS_MK = torch.tensor([[0.3, 0.7]]).repeat(20, 1)


def data(root: Path, **settings: int) -> TextData:
    return TextData("imdb", 2, 60, 20, "left", 0, 8, 16, **settings, folder=root / "data")  # type: ignore[arg-type]


def test_train_holds_the_true_labels_and_then_the_teachers_predictions(tiny_imdb: Path) -> None:
    learned = data(tiny_imdb)
    learned.pseudo_label(PREDICTIONS_MK)
    learned.setup()
    texts, labels_NK = learned.splits["train"]
    labelled = len(learned.truth["train"])
    assert len(texts) == len(labels_NK) == labelled + 20
    assert torch.equal(labels_NK[:labelled].argmax(dim=1), learned.truth["train"])
    assert set(labels_NK[:labelled].flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(labels_NK[labelled:], PREDICTIONS_MK)


def test_without_a_teacher_train_is_what_has_labels(tiny_imdb: Path) -> None:
    learned = data(tiny_imdb)
    learned.setup()
    assert len(learned.splits["train"][0]) == len(learned.truth["train"])


def test_neither_validation_nor_test_learns_anything_from_the_teacher(tiny_imdb: Path) -> None:
    learned = data(tiny_imdb)
    learned.pseudo_label(PREDICTIONS_MK)
    learned.setup()
    assert learned.splits["val"][1].dtype == torch.int64
    assert sum(len(labels) for _, labels in learned.batches("test")) == 40


class Counting:
    """A teacher that counts how often it is loaded, and always predicts the same."""

    def __init__(self) -> None:
        self.loaded = 0

    def load(self) -> Predict:
        self.loaded += 1
        return self.predict

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[0.25, 0.75] for _ in texts])


@pytest.mark.parametrize(("weights", "source", "loaded"), [("w", "s", 1), ("v", "s", 2), ("w", "t", 2)])
def test_a_teacher_predicts_once_and_again_only_where_it_or_the_texts_changed(
    weights: str, source: str, loaded: int, tmp_path: Path
) -> None:
    teacher = Counting()

    def predictions(weights: str, source: str) -> torch.Tensor:
        return teacher_predictions(teacher.load, weights, lambda: ["a", "b"], source, tmp_path, lambda *_: None)

    first = predictions("w", "s")
    assert torch.equal(first, torch.tensor([[0.25, 0.75]] * 2))
    assert torch.equal(predictions(weights, source), first)
    assert teacher.loaded == loaded


def test_each_text_without_a_label_is_followed_by_its_pieces_with_the_answers_to_these(tiny_imdb: Path) -> None:
    learned = TextData("imdb", 2, 60, 20, "left", 0, 8, 16, chunks=2, folder=tiny_imdb / "data")
    alone = TextData("imdb", 2, 60, 20, "left", 0, 8, 16, folder=tiny_imdb / "data")
    whole, told = list(alone.unlabeled_texts()), list(learned.unlabeled_texts())
    assert told[::3] == whole
    assert [f"{one} {other}" for one, other in zip(told[1::3], told[2::3], strict=True)] == whole
    assert all(
        abs(len(one.split()) - len(other.split())) <= 1 for one, other in zip(told[1::3], told[2::3], strict=True)
    )
    predictions_MK = torch.rand(60, 2)
    learned.pseudo_label(predictions_MK)
    learned.setup()
    (texts, labels_NK), labelled = learned.splits["train"], len(learned.truth["train"])
    assert torch.equal(labels_NK[labelled:], predictions_MK)
    said = [" ".join(learned.vocabulary.words[number - 2] for number in text.tolist()) for text in texts[labelled:]]
    assert said == told


def test_word_vectors_are_made_of_whole_texts(tiny_imdb: Path) -> None:
    made = []
    for pieces in (2, 0):
        data = TextData("imdb", 2, 60, 20, "left", 0, 8, 16, Embeddings(4, 2, 20), 0, pieces, folder=tiny_imdb / "data")
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
    learned = TextData("imdb", 2, 60, 20, "left", 0, 8, 16, labeled_repeats=2, folder=tiny_imdb / "data")
    alone = TextData("imdb", 2, 60, 20, "left", 0, 8, 16, folder=tiny_imdb / "data")
    learned.setup()
    alone.setup()
    (texts, labels_NK), (known, truth_N) = learned.splits["train"], alone.splits["train"]
    labelled = len(known)
    assert len(texts) == len(labels_NK) == 2 * labelled + 20
    assert torch.equal(labels_NK[: 2 * labelled].argmax(dim=1), truth_N.repeat(2))
    assert torch.equal(labels_NK.sum(dim=1), torch.tensor([1.0] * 2 * labelled + [0.0] * 20))
    assert all(torch.equal(one, other) for one, other in zip(texts[: 2 * labelled], [*known, *known], strict=True))
