"""Curves of accuracy under shifts, of classifiers whose errors are known."""

import numpy as np
import torch

from pipeline.evaluation import robustness
from pipeline.evaluation.text_shifts import PRAISE


def test_a_classifier_of_brightness_is_right_until_the_image_is_inverted() -> None:
    images = torch.cat([torch.full((6, 1, 28, 28), 0.1), torch.full((4, 1, 28, 28), 0.9)])
    truth_N = np.array([0] * 6 + [1] * 4)
    curves = robustness.of_images(lambda some: (some.mean(dim=(1, 2, 3)) > 0.5).long().numpy(), images, truth_N, True)
    assert curves["inversion"] == {"samples": 10, "strength": [0, 1], "accuracy": [1, 0]}
    assert set(curves["blur"]["accuracy"]) == {1}
    assert all(curve["accuracy"][curve["strength"].index(0)] == 1 for curve in curves.values())


def test_strokes_and_inversion_are_of_digits_alone() -> None:
    images, truth_N = torch.rand(4, 3, 8, 8), np.array([0, 0, 0, 1])
    curves = robustness.of_images(lambda some: np.zeros(len(some), int), images, truth_N, False)
    assert list(curves) == ["rotation", "noise", "blur"]
    assert set(curves["noise"]["accuracy"]) == {0.75}


def test_a_bag_of_words_takes_no_notice_of_negation() -> None:
    def bag(texts: robustness.Texts) -> np.ndarray:
        return np.array([any(word in text for word in PRAISE) for text in texts]).astype(int)

    texts, truth_N = ["a great film", "a dull film", "a film"], np.array([1, 0, 1])
    curves = robustness.of_texts(bag, texts, truth_N, ("negative", "positive"))
    assert curves["negation"] == {"samples": 200, "strength": [0, 1, 3, 6], "accuracy": [1, 0, 0, 0]}
    assert curves["truncation"]["accuracy"] == [0.6667, 0.6667, 0.3333, 0.3333, 0.3333]
    assert "negation" not in robustness.of_texts(bag, texts, truth_N, ("sport", "weather"))


def test_the_samples_are_a_fixed_random_part_in_their_order() -> None:
    rows = robustness.chosen(10_000)
    assert len(rows) == len(set(rows.tolist())) == 1000
    assert (np.diff(rows) > 0).all()
    assert 4500 < rows.mean() < 5500
    np.testing.assert_array_equal(rows, robustness.chosen(10_000))
    assert robustness.chosen(3).tolist() == [0, 1, 2]
    assert len(robustness.chosen(10_000, 28 * 28)) == 1000
    assert len(robustness.chosen(400, 224 * 224)) == 83  # by hand: 2^22 / 50,176
