"""The shallow baselines against scikit-learn's own parts and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline import kinds
from pipeline.config import load_config, resolve
from pipeline.errors import ConfigError, DataError
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


def test_tfidf_of_three_classes_equals_scikit_learns_one_vs_rest(tmp_path: Path) -> None:
    texts, truth = [*TEXTS, "a long film", "so long"], np.array([*TRUTH, 2, 2])
    ours = TfidfLogistic(ngrams=1, min_df=1, C=20)
    ours.fit(texts, truth, classes=3)
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
    theirs = OneVsRestClassifier(LogisticRegression(C=20, solver="liblinear", random_state=0))
    theirs.fit(vectorizer.fit_transform(texts), truth)
    queries = ["good plot", "bad bad", "long", "unheard of"]
    np.testing.assert_allclose(
        ours.probabilities(queries), theirs.predict_proba(vectorizer.transform(queries)), atol=1e-6
    )
    ours.save(tmp_path)
    stored = TfidfLogistic(ngrams=1, min_df=1, C=20)
    stored.load(tmp_path)
    np.testing.assert_array_equal(stored.probabilities(queries), ours.probabilities(queries))


def test_naive_bayes_tells_three_classes_apart() -> None:
    model = NaiveBayesLogistic(ngrams=1, min_df=1, C=1)
    model.fit(["good film", "good", "bad film", "bad", "long film", "long"], np.array([1, 1, 0, 0, 2, 2]), classes=3)
    assert model.probabilities(["bad", "good", "long"]).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_class_without_a_train_text_is_an_error_that_names_the_settings() -> None:
    with pytest.raises(DataError, match=r"1 of 3 classes have no train text.*data\.val_size"):
        TfidfLogistic(ngrams=1, min_df=1, C=1).fit(TEXTS, TRUTH, classes=3)


@pytest.mark.parametrize("min_df", [2, 3])
def test_texts_without_a_common_ngram_are_an_error_that_names_the_setting(min_df: int) -> None:
    with pytest.raises(DataError, match=rf"model\.min_df: .* at least {min_df} of the 2 train texts, got none\. Set"):
        TfidfLogistic(ngrams=1, min_df=min_df, C=1).fit(["good film", "bad plot"], np.array([1, 0]))


@pytest.mark.parametrize(("key", "value"), [("ngrams", 0), ("min_df", 0), ("C", 0.0), ("C", float("nan"))])
def test_a_setting_out_of_range_is_refused_before_the_fit(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"model\.{key}: expected .*, got {value}\. Set it with"):
        TfidfLogistic(**dict[str, Any](ngrams=1, min_df=1, C=1) | {key: value})


def test_naive_bayes_ratios_are_those_worked_by_hand() -> None:
    model = NaiveBayesLogistic(ngrams=1, min_df=1, C=1)
    model.fit(["good film", "good", "bad film"], np.array([1, 1, 0]))
    # Texts that hold bad, film, good, plus 1: praise 1, 2, 3 of 6; blame 2, 2, 1 of 5.
    assert model.grams.tolist() == ["bad", "film", "good"]
    np.testing.assert_allclose(model.scale_UG[0], np.log([(1 / 6) / (2 / 5), (2 / 6) / (2 / 5), (3 / 6) / (1 / 5)]))


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


def test_sums_do_not_depend_on_the_number_of_threads(tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBLAS gives a long sum to several threads, with other last bits."""
    config, threads = resolve(load_config(*TINY_TEXT, "model=nbsvm")), set[int]()
    fit = LogisticRegression.fit

    def fitted(*words: Any) -> Any:
        threads.update(pool["num_threads"] for pool in threadpool_info())
        return fit(*words)

    monkeypatch.setattr(LogisticRegression, "fit", fitted)
    with threadpool_limits(2):
        baselines.fit(config, data_dir=tiny_imdb / "data", run_dir=tiny_imdb)
    assert threads == {1}
