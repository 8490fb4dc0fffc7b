"""A stored model's answers: a translator's to any words, what a last layer sees, the images a generator draws."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from pipeline.data.piglatin.rule import SYMBOLS, translate
from pipeline.data.texts.encoded import TextRow, TokenStore
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.inference import detectors, translator
from pipeline.inference.generator import Generator
from pipeline.inference.predictor import ImageClassifier
from pipeline.inference.text_classifier import TextClassifier
from pipeline.models import gan
from pipeline.models.backprop import Backprop
from pipeline.models.cnn import CNN
from pipeline.models.mlp import MLP
from pipeline.report import figures
from pipeline.types import END, Translations


class Speller(nn.Module):
    """Answers each word with itself, looking at each letter as it writes it."""

    steps = 8

    def forward(self, source_BS: Tensor) -> Tensor:
        return self.greedy(source_BS)[0]

    def greedy(self, source_BS: Tensor) -> tuple[Tensor, Tensor]:
        answer = nn.functional.pad(source_BS, (0, self.steps - source_BS.shape[1]))
        answer = answer.masked_fill(answer == 0, END)
        weights = torch.eye(self.steps, source_BS.shape[1]).expand(len(source_BS), -1, -1)
        return nn.functional.one_hot(answer, 2 + len(SYMBOLS)).float(), weights


SPELLER: Any = Speller()


def test_every_word_is_answered_in_its_place_however_often_it_is_asked() -> None:
    words = ["b", "a", "b", "abcd"]
    assert translator.translate_words(SPELLER, words) == words


def test_no_words_have_no_answers() -> None:
    assert translator.translate_words(SPELLER, []) == []


def test_many_words_are_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator, "BATCH", 2)
    assert translator.translate_words(SPELLER, list("edcba")) == list("edcba")


def test_words_the_net_cant_read_never_reach_it_and_come_back_as_they_are() -> None:
    def refuse(*inputs: Any) -> None:
        raise AssertionError(inputs)

    net: Any = Speller()
    net.register_forward_pre_hook(refuse)
    words = ["", "abcde", "café", "Abc", "3rd", "日本"]  # five letters and "way" and the end are nine symbols
    assert translator.translate_words(net, words) == words


def test_a_sentence_is_answered_in_one_call() -> None:
    calls: list[Sequence[str]] = []

    def note(words: Sequence[str]) -> list[str]:
        calls.append(words)
        return translator.translate_words(SPELLER, words)

    assert translate("No, not  YOU!", note) == "No, not  YOU!"
    assert calls == [["no", "not", "you"]]
    assert translate("", partial(translator.translate_words, SPELLER)) == ""


def test_translations_hold_the_rule_beside_the_answers() -> None:
    assert translator.translations(SPELLER, ["pig", "it"]) == Translations(
        ("pig", "it"), ("igpay", "itway"), ("pig", "it")
    )


def test_attention_has_a_row_for_each_letter_of_the_answer_and_for_its_end() -> None:
    answer, weights = translator.attention(SPELLER, "abc")
    assert answer == "abc"
    np.testing.assert_array_equal(weights, np.eye(4, 3))


def test_the_picture_of_attention_shows_the_weights_between_the_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig

    def note(figure: Figure, *args: Any, **more: Any) -> None:
        drawn.append(figure)
        save(figure, *args, **more)

    monkeypatch.setattr(Figure, "savefig", note)
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    figures.attention_map(weights, "pig", "igpay", tmp_path / "attention.png")
    (axes,) = drawn[0].axes
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [label.get_text() for label in axes.get_xticklabels()] == list("pig")
    assert [label.get_text() for label in axes.get_yticklabels()] == [*"igpay", "end"]
    assert (tmp_path / "attention.png").stat().st_size > 1000


class Length(nn.Module):
    """Answers a text with how long it is: the logits are 0 and a tenth of that."""

    def forward(self, tokens_BT: Tensor) -> Tensor:
        lengths_B = (tokens_BT > 0).sum(dim=1) / 10
        return torch.stack([torch.zeros_like(lengths_B), lengths_B], dim=1)


def test_texts_of_a_split_are_answered_by_length_and_told_in_their_order(tmp_path: Path) -> None:
    lengths_N, truth_N = np.random.default_rng(0).integers(1, 40, 200), torch.arange(200) % 2
    tokens = TokenStore.of([TextRow("good " * length, "a") for length in lengths_N], tmp_path, "texts")
    rows_of, read = {"test": ("all", np.arange(200))}, SimpleNamespace(max_tokens=30, truncation_side="left")
    data: Any = SimpleNamespace(
        read=lambda: None, rows_of=rows_of, tokens=lambda part: tokens, truth={"test": truth_N}, labels=("a", "b")
    )
    classifier = TextClassifier(Length(), {"data": vars(read)}, {}, Vocabulary(("good",), dropped=0))
    predictions = classifier.predict_split(data, "test")
    np.testing.assert_allclose(predictions.y_score[:, 1], 1 / (1 + np.exp(-lengths_N.clip(max=30) / 10)), rtol=1e-6)
    assert predictions.y_true.tolist() == truth_N.tolist()


def test_a_text_without_a_word_of_the_vocabulary_is_marked() -> None:
    vocabulary = Vocabulary(("the", "film", "good"), dropped=1)
    config = {"model": {"_target_": "pipeline.tasks.classification.Classification", "net": {}}, "labels": ["a", "b"]}
    config |= {"requires": {}, "data": {"max_tokens": 9, "truncation_side": "left"}, "name": "net"}
    classifier = TextClassifier(Length(), config, {}, vocabulary)
    predictions = classifier.predict(["Good!", "xyzzy film", "xyzzy", "", "the"])  # "the" is a stop word
    assert [prediction["unfamiliar"] for prediction in predictions] == [False, False, True, True, True]


class Own(nn.Module):
    """A net whose last layer is named before those that are called first, or not called at all."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(7, 4)
        self.first, self.unused = nn.Linear(64, 7), nn.Linear(7, 2)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.last(self.first(images_BCHW.flatten(1)))
        return logits_BK


class Pooled(nn.Module):
    """A net whose last linear layer sees each column of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.last(images_BCHW.flatten(1, 2)).mean(dim=1)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("net", "last"),
    [
        (MLP([1, 8, 8], 4, [16, 7], dropout=0.5), "layers.7"),
        (CNN([1, 8, 8], 4, [{"channels": 2}], hidden=7, dropout=0.5), "head.4"),
        (Own(), "last"),
    ],
    ids=["MLP", "CNN", "one's own"],
)
def test_features_are_what_the_last_layer_turns_into_logits(net: nn.Module, last: str) -> None:
    predictor, images = ImageClassifier(net.eval(), {}, {}), torch.rand(5, 1, 8, 8)
    features = predictor.features(images)
    assert features.shape == (5, 7)
    with torch.inference_mode():
        torch.testing.assert_close(net.get_submodule(last)(features), net(images))


@pytest.mark.parametrize(
    "net",
    [Backprop([1, 2, 2], 2, [3]), nn.Flatten(), Pooled()],
    ids=["computed by hand", "without one", "before the mean over places"],
)
def test_a_net_that_ends_in_no_linear_layer_has_no_detector(net: nn.Module) -> None:
    data: Any = SimpleNamespace(batches=lambda split: [(torch.rand(8, 1, 2, 2), torch.arange(8) % 2)])
    assert ImageClassifier(net, {}, {}).fit_outliers(data) is None


def test_a_judge_sees_the_same_in_many_images_as_in_few() -> None:
    predictor = ImageClassifier(MLP([1, 8, 8], 4, [6]).eval(), {}, {})
    images = torch.rand(1001, 1, 8, 8)
    judged = predictor.judge(images, None)
    assert judged.labels is None
    torch.testing.assert_close(torch.from_numpy(judged.features[-1:]), predictor.features(images[-1:]))
    torch.testing.assert_close(torch.from_numpy(judged.scores[-1:]), predictor.probabilities(images[-1:]))


def test_the_same_seed_draws_the_same_images_of_the_classes_asked_for() -> None:
    predictor = Generator(gan.Generator([1, 8, 8], 3, noise=5).eval(), {}, {})
    labels = torch.arange(1200) % 3
    images = predictor.generate(labels, seed=2)
    assert images.shape == (1200, 1, 8, 8)
    assert torch.equal(images, predictor.generate(labels, seed=2))
    assert not torch.equal(images, predictor.generate(labels, seed=3))
    noise = torch.randn(1200, 5, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(images[1100:], predictor.net(noise[1100:], labels[1100:]))


def test_an_image_unlike_those_of_validation_is_marked_and_the_detector_is_stored(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = {"model": {"_target_": "pipeline.tasks.classification.Classification", "net": {}}, "labels": ["a", "b"]}
    config |= {"requires": {}, "data": {"in_shape": [1, 8, 8]}, "name": "net"}
    plain = ImageClassifier(MLP([1, 8, 8], 2, [6]).eval(), config, {})
    dark, bright = torch.rand(300, 1, 8, 8) * 0.2, torch.rand(300, 1, 8, 8) * 0.2 + 0.5
    images, truth = torch.cat([dark, bright])[torch.arange(600).view(2, 300).T.flatten()], torch.arange(600) % 2
    data: Any = SimpleNamespace(batches=lambda split: [(images[:400], truth[:400]), (images[400:], truth[400:])])
    fitted = plain.fit_outliers(data)
    assert fitted is not None
    detectors.save(fitted, tmp_path)
    stored = replace(plain, outliers=detectors.read(tmp_path))
    striped = np.zeros((1, 8, 8), np.float32)
    striped[:, ::2] = 5
    first, foreign = stored.predict([images[0].numpy(), striped])
    assert (first["unfamiliar"], foreign["unfamiliar"]) == (False, True)
    assert stored.unfamiliar(images).mean() < 0.03  # type: ignore[union-attr]
    assert plain.predict([images[0].numpy()])[0].items() < first.items()
    assert plain.unfamiliar(images) is None
