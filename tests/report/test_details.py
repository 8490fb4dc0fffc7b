"""What stands behind a score: counts, worst errors, words that matter."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from pipeline.inference.attribution import word_effects
from pipeline.report import details
from pipeline.types import Predictions, Translations

SAID = Predictions(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.95, 0.05]]), ("no", "yes"))


class Counter:
    """P(yes) from "good" (+1) and "bad" (-2) in log-odds."""

    def text_probabilities(self, texts: list[str]) -> np.ndarray:
        odds = np.array([text.split().count("good") - 2 * text.split().count("bad") for text in texts])
        positive = 1 / (1 + np.exp(-odds.astype(float)))
        return np.stack([1 - positive, positive], axis=1)


COUNTER: Any = Counter()


def test_a_words_effect_is_what_the_log_odds_lose_without_it() -> None:
    answer, probability, words = word_effects(COUNTER, "good film good")
    assert (answer, round(probability, 4)) == (1, 0.8808)  # 1 / (1 + e^-2)
    assert [(word, round(effect, 6)) for word, effect in words] == [("good", 1.0), ("film", 0.0), ("good", 1.0)]
    answer, _, words = word_effects(COUNTER, "good bad")
    assert answer == 0  # effects are on the answer given
    assert [round(effect, 6) for _, effect in words] == [-1.0, 2.0]


def test_a_confusion_matrix_is_kept_as_records_that_sum_to_all_samples() -> None:
    kept = details.confusion(SAID)
    assert kept["labels"] == ["no", "yes"]
    cells = {(cell["actual"], cell["predicted"]): cell["count"] for cell in kept["confusion"]}
    assert cells == {("no", "no"): 1, ("no", "yes"): 1, ("yes", "no"): 1, ("yes", "yes"): 1}


def test_the_worst_errors_come_most_confident_first_with_their_pictures() -> None:
    images = np.linspace(0, 1, 16).reshape(4, 2, 2)
    worst = details.picture_errors(SAID, images)
    assert [(one["true"], one["answer"], one["probability"]) for one in worst] == [
        ("yes", "no", 0.95),
        ("no", "yes", 0.7),
    ]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(worst[0]["picture"]))))
    np.testing.assert_array_equal(picture, (255 * images[3]).round())
    assert details.text_errors(SAID, ["a", "b", "c", "d<br />e"])[0]["text"] == "d e"


def test_the_same_short_text_of_each_class_is_explained() -> None:
    texts = ["too short", "word " * 30, "good " * 25, "good " * 25]
    found = details.explained(COUNTER, SAID, texts)
    assert [(one["true"], len(one["words"])) for one in found] == [("no", 30), ("yes", 25)]


def test_translations_and_drawn_images_are_kept_small() -> None:
    said = Translations(("ab", "cd"), ("abway", "cday"), ("abway", "xx"))
    assert details.translation_errors(said) == [{"source": "cd", "true": "cday", "answer": "xx"}]
    looked = details.attention(np.array([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]), "ab", "x")
    assert looked == {"source": ["a", "b", "end"], "rows": [["x", [0.25, 0.75, 0.0]], ["end", [0.0, 0.0, 1.0]]]}
    sheet = details.sheet([np.zeros((3, 4, 4), np.uint8), np.ones((3, 4, 4))])
    assert Image.open(io.BytesIO(sheet)).size == (12, 8)
