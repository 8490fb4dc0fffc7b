"""Shallow baselines for texts: weighed counts of word sequences into a logistic regression; the home of scikit-learn.

Sources: Salton, Buckley 1988, doi:10.1016/0306-4573(88)90021-0 (TF-IDF); Wang, Manning 2012, aclanthology.org/P12-2018
(NB-SVM, here with logistic regression as in Mesnil et al. 2014, arXiv:1412.5335).
"""

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from pipeline.config import build, build_data, digest
from pipeline.data.texts.vocabulary import tokenize
from pipeline.runs import checkpoints
from pipeline.types import FitResult

# N texts, G grams
GRAMS = "grams.txt"


class LinearText:
    """P(positive) of a text from its word sequences of 1 to `ngrams` words.

    Each gram's value in a text is multiplied by `scale_G` and by `weights_G`, whose sum goes through a sigmoid.
    """

    def __init__(self, ngrams: int, min_df: int, C: float):
        self.ngrams, self.min_df, self.C = ngrams, min_df, C

    def fit(self, texts: Sequence[str], truth_N: np.ndarray) -> None:
        counter = self._counter(min_df=self.min_df)
        counts_NG = sp.csr_array(counter.fit_transform(texts))
        self.grams = counter.get_feature_names_out()
        self.__dict__.pop("_reader", None)
        self.scale_G = self.scale(counts_NG, truth_N)
        model = LogisticRegression(C=self.C, solver="liblinear", random_state=0)
        model.fit(self.values(counts_NG), truth_N)
        self.weights_G, self.bias = model.coef_[0], float(model.intercept_[0])

    def probabilities(self, texts: Iterable[str]) -> np.ndarray:
        """(N, 2) of negative, positive."""
        counts_NG = sp.csr_array(self._reader.transform(texts))
        positive_N = 1 / (1 + np.exp(-(self.values(counts_NG) @ self.weights_G + self.bias)))
        return np.stack([1 - positive_N, positive_N], axis=1)

    def scale(self, counts_NG: sp.csr_array, truth_N: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def values(self, counts_NG: sp.csr_array) -> sp.csr_array:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        arrays = {"scale": self.scale_G, "weights": self.weights_G, "bias": np.array([self.bias])}
        save_file({name: array.astype(np.float64) for name, array in arrays.items()}, folder / checkpoints.MODEL)
        (folder / GRAMS).write_text("\n".join(self.grams) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        arrays = load_file(folder / checkpoints.MODEL)
        self.scale_G, self.weights_G, self.bias = arrays["scale"], arrays["weights"], float(arrays["bias"][0])
        self.grams = np.array((folder / GRAMS).read_text(encoding="utf-8").removesuffix("\n").split("\n"))

    @cached_property
    def _reader(self) -> CountVectorizer:
        """Of the grams that were learned; a million take half a second."""
        return self._counter(vocabulary={gram: index for index, gram in enumerate(self.grams)})

    def _counter(self, **settings: Any) -> CountVectorizer:
        return CountVectorizer(
            tokenizer=tokenize, token_pattern=None, lowercase=False, ngram_range=(1, self.ngrams), **settings
        )


class TfidfLogistic(LinearText):
    """(1 + log count) x inverse document frequency, each text scaled to length 1."""

    def scale(self, counts_NG: sp.csr_array, truth_N: np.ndarray) -> np.ndarray:
        documents, holding_G = counts_NG.shape[0], np.bincount(counts_NG.indices, minlength=counts_NG.shape[1])
        scale_G: np.ndarray = np.log((1 + documents) / (1 + holding_G)) + 1
        return scale_G

    def values(self, counts_NG: sp.csr_array) -> sp.csr_array:
        values_NG = counts_NG.astype(np.float64)
        values_NG.data = 1 + np.log(values_NG.data)
        return normalize(values_NG @ sp.diags_array(self.scale_G))


class NaiveBayesLogistic(LinearText):
    """Whether a gram occurs x the log-ratio of its smoothed shares among the positive and the negative texts."""

    def scale(self, counts_NG: sp.csr_array, truth_N: np.ndarray) -> np.ndarray:
        there_NG = counts_NG > 0
        positive_G, negative_G = (1 + there_NG[truth_N == label].sum(axis=0) for label in (1, 0))
        ratio_G: np.ndarray = np.log((positive_G / positive_G.sum()) / (negative_G / negative_G.sum()))
        return ratio_G

    def values(self, counts_NG: sp.csr_array) -> sp.csr_array:
        return (counts_NG > 0) @ sp.diags_array(self.scale_G)


def fit(config: dict[str, Any], *, data_dir: Path, run_dir: Path) -> FitResult:
    """Fit the configured baseline on train, and leave it in `run_dir/model`."""
    data, model = build_data(config, data_dir), build(config["model"])
    data.read()
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(data.texts["train"], data.truth["train"].numpy())
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    accuracy = {f"{split}/accuracy": _accuracy(model, data, split) for split in ("train", "val")}

    def write(aside: Path) -> None:
        model.save(aside)
        checkpoints.save_config(config, data.labels, aside)

    facts = {"config_digest": digest(config), "data_digest": data.describe().digest}
    checkpoints.publish(run_dir / "model", write, **facts)
    return FitResult(run_dir / "model", accuracy, steps=1, epochs=1, wall_s=wall_s, cpu_s=cpu_s)


def _accuracy(model: LinearText, data: Any, split: str) -> float:
    scores_NC = model.probabilities(data.texts[split])
    return float((scores_NC.argmax(axis=1) == data.truth[split].numpy()).mean())
