"""Fitted text baselines: texts that they know nothing of."""

import numpy as np
import pytest

from pipeline.inference.baseline import BaselineClassifier
from pipeline.training.baselines import NaiveBayesLogistic, TfidfLogistic


@pytest.mark.parametrize("kind", [TfidfLogistic, NaiveBayesLogistic])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_text_without_a_fitted_word_is_marked(kind: type[TfidfLogistic | NaiveBayesLogistic], classes: int) -> None:
    texts = ["good film", "bad film", "long plot"] * 4
    model = kind(ngrams=2, min_df=2, C=1.0)
    model.fit(texts, np.arange(12) % 3 % classes, classes)
    classifier = BaselineClassifier(model, {"labels": ["good", "bad", "long"][:classes], "name": "words"}, {})
    predictions = classifier.predict(["A GOOD film!", "xyzzy film", "xyzzy", ""])
    assert [prediction["unfamiliar"] for prediction in predictions] == [False, False, True, True]
    assert classifier.unfamiliar(["film", "xyzzy plugh"]).tolist() == [False, True]
