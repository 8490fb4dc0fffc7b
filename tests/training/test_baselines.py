"""The shallow baselines against scikit-learn's own parts and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline import kinds
from pipeline.config import load_config, resolve
from pipeline.training import baselines
from pipeline.training.baselines import NaiveBayesLogistic, TfidfLogistic
from tests.conftest import TINY_TEXT

TEXTS = ["good good film", "bad film", "a good plot", "bad bad plot", "the plot is good", "so bad"]
TRUTH = np.array([1, 0, 1, 0, 1, 0])


def test_tfidf_equals_scikit_learns_vectorizer_and_regression() -> None:
    ours = TfidfLogistic(ngrams=2, min_df=1, C=20)
    ours.fit(TEXTS, TRUTH)
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+")
    theirs = LogisticRegression(C=20, solver="liblinear", random_state=0).fit(vectorizer.fit_transform(TEXTS), TRUTH)
    asked = ["good plot", "bad bad", "unheard of"]
    expected = theirs.predict_proba(vectorizer.transform(asked))
    np.testing.assert_allclose(ours.probabilities(asked), expected, atol=1e-6)


def test_naive_bayes_ratios_are_those_worked_by_hand() -> None:
    model = NaiveBayesLogistic(ngrams=1, min_df=1, C=1)
    model.fit(["good film", "good", "bad film"], np.array([1, 1, 0]))
    # Texts that hold bad, film, good, plus 1: praise 1, 2, 3 of 6; blame 2, 2, 1 of 5.
    assert model.grams.tolist() == ["bad", "film", "good"]
    np.testing.assert_allclose(model.scale_G, np.log([(1 / 6) / (2 / 5), (2 / 6) / (2 / 5), (3 / 6) / (1 / 5)]))


@pytest.mark.parametrize("model", ["tfidf", "nbsvm"])
def test_a_stored_baseline_answers_as_it_did_and_reads_anything(model: str, tiny_imdb: Path) -> None:
    config = resolve(load_config(*TINY_TEXT, f"model={model}"))
    result = baselines.fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb)
    assert result.metrics["val/accuracy"] == 1.0
    predictor: Any = kinds.load(result.model_dir)
    assert predictor.labels == ("negative", "positive")
    answers = predictor.text_probabilities(["great fine", "dull bad", "", "完全 непонятно 🙂"])
    assert answers[:2].argmax(axis=1).tolist() == [1, 0]
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    again = baselines.fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb / "again")
    assert kinds.load(again.model_dir).manifest == predictor.manifest
