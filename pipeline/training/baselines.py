"""Shallow baselines for texts: weighted n-gram counts into a logistic regression of scikit-learn.

Sources: Salton, Buckley 1988, doi:10.1016/0306-4573(88)90021-0 (TF-IDF); Wang, Manning 2012, aclanthology.org/P12-2018
(NB-SVM, here with logistic regression as in Mesnil et al. 2014, arXiv:1412.5335).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from pipeline.config import Config, build, build_data, digest
from pipeline.data.texts.vocabulary import tokenize
from pipeline.errors import ConfigError, DataError
from pipeline.runs import checkpoints, trail
from pipeline.types import CheckpointFacts, FitResult, Split

if TYPE_CHECKING:  # takes long to import
    from pipeline.data.texts.text_data import TextData


# N texts, G n-grams, K classes, U units: 1 of two classes, else K
GRAMS = "grams.txt"


class LinearText:
    """Class probabilities of a text from its n-grams, sequences of 1 to `ngrams` words.

    An n-gram's value in a text is multiplied by its scale and its weight; the sum goes through a sigmoid. Two classes
    take one such unit, for the second class; K take one unit each (one-vs-rest), their probabilities normalised.
    """

    def __init__(self, ngrams: int, min_df: int, C: float):
        for key, value, good in (("ngrams", ngrams, ngrams >= 1), ("min_df", min_df, min_df >= 1), ("C", C, C > 0)):
            if not good:
                least = "a number above 0" if key == "C" else "at least 1"
                raise ConfigError(f"model.{key}: expected {least}, got {value}. Set it with `model.{key}=…`.")
        self.ngrams, self.min_df, self.C = ngrams, min_df, C

    def fit(self, texts: Sequence[str], truth_N: np.ndarray, classes: int = 2) -> None:
        """Fit on texts and their classes, 0 to `classes` - 1.

        Raises: DataError if a class has no text, or no n-gram is left.
        """
        present = set(truth_N.tolist())
        if missing := [label for label in range(classes) if label not in present]:
            raise DataError(
                f"model: {len(missing)} of {classes} classes have no train text, the first is number {missing[0]}. "
                "Add texts of them, or set a smaller data.val_size and data.test_size."
            )
        counter = self._counter(min_df=self.min_df)
        try:
            counts_NG = sp.csr_array(counter.fit_transform(texts))
        except ValueError as error:  # scikit-learn's only one about texts: none of their n-grams is left
            raise DataError(
                f"model.min_df: expected an n-gram in at least {self.min_df} of the {len(texts):,} train texts, "
                "got none. Set a smaller model.min_df, or add texts."
            ) from error
        self.grams = counter.get_feature_names_out()
        self.__dict__.pop("_reader", None)
        positive_UN = [truth_N == label for label in ([1] if classes == 2 else range(classes))]
        self.scale_UG = self.scale(counts_NG, positive_UN)
        self.weights_UG, self.bias_U = np.empty((len(positive_UN), len(self.grams))), np.empty(len(positive_UN))
        for unit, (values_NG, positive_N) in enumerate(zip(self._unit_values(counts_NG), positive_UN, strict=False)):
            model = LogisticRegression(C=self.C, solver="liblinear", random_state=0)
            model.fit(values_NG, positive_N.astype(np.int64))
            self.weights_UG[unit], self.bias_U[unit] = model.coef_[0], model.intercept_[0]

    def probabilities(self, texts: Iterable[str]) -> np.ndarray:
        """(N, K) class probabilities."""
        counts_NG = sp.csr_array(self._reader.transform(texts))
        units = zip(self._unit_values(counts_NG), self.weights_UG, self.bias_U, strict=False)
        positive_NU = np.stack(
            [1 / (1 + np.exp(-(values_NG @ weights_G + bias))) for values_NG, weights_G, bias in units], axis=1
        )
        if positive_NU.shape[1] == 1:
            return np.concatenate([1 - positive_NU, positive_NU], axis=1)
        # All of them can underflow to 0 at once.
        sums_N1 = positive_NU.sum(axis=1, keepdims=True).clip(np.finfo(np.float64).tiny)
        probabilities_NK: np.ndarray = positive_NU / sums_N1
        return probabilities_NK

    def scale(self, counts_NG: sp.csr_array, positive_UN: Sequence[np.ndarray]) -> np.ndarray:
        """(U, G) factors of the n-grams in each unit, or (1, G) that all units share."""
        raise NotImplementedError

    def values(self, counts_NG: sp.csr_array, scale_G: np.ndarray) -> sp.csr_array:
        """(N, G) scaled values of the n-grams."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        # One unit is stored without its axis, as before there were several.
        arrays = {"scale": self.scale_UG, "weights": self.weights_UG}
        arrays = {name: array[0] if len(array) == 1 else array for name, array in arrays.items()} | {
            "bias": self.bias_U
        }
        save_file({name: array.astype(np.float64) for name, array in arrays.items()}, folder / checkpoints.MODEL)
        (folder / GRAMS).write_text("\n".join(self.grams) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        arrays = load_file(folder / checkpoints.MODEL)
        self.scale_UG, self.weights_UG = np.atleast_2d(arrays["scale"]), np.atleast_2d(arrays["weights"])
        self.bias_U = arrays["bias"]
        self.grams = np.array((folder / GRAMS).read_text(encoding="utf-8").removesuffix("\n").split("\n"))

    def _unit_values(self, counts_NG: sp.csr_array) -> Iterator[sp.csr_array]:
        """The values that each unit sees, computed once where all share their scale."""
        if len(self.scale_UG) == 1:
            return repeat(self.values(counts_NG, self.scale_UG[0]))
        return (self.values(counts_NG, scale_G) for scale_G in self.scale_UG)

    @cached_property
    def _reader(self) -> CountVectorizer:
        """Counts the fitted n-grams; a million take half a second to index."""
        return self._counter(vocabulary={gram: index for index, gram in enumerate(self.grams)})

    def _counter(self, **settings: object) -> CountVectorizer:
        return CountVectorizer(
            tokenizer=tokenize, token_pattern=None, lowercase=False, ngram_range=(1, self.ngrams), **settings
        )


class TfidfLogistic(LinearText):
    """(1 + log count) x inverse document frequency, each text scaled to length 1."""

    def scale(self, counts_NG: sp.csr_array, positive_UN: Sequence[np.ndarray]) -> np.ndarray:
        documents, holding_G = counts_NG.shape[0], np.bincount(counts_NG.indices, minlength=counts_NG.shape[1])
        scale_G: np.ndarray = np.log((1 + documents) / (1 + holding_G)) + 1
        return scale_G[None]

    def values(self, counts_NG: sp.csr_array, scale_G: np.ndarray) -> sp.csr_array:
        values_NG = counts_NG.astype(np.float64)
        values_NG.data = 1 + np.log(values_NG.data)
        return normalize(values_NG @ sp.diags_array(scale_G))


class NaiveBayesLogistic(LinearText):
    """Whether an n-gram occurs x the log-ratio of its smoothed shares in a unit's class and in all other texts."""

    def scale(self, counts_NG: sp.csr_array, positive_UN: Sequence[np.ndarray]) -> np.ndarray:
        occurs_NG = counts_NG > 0
        return np.stack([self._log_ratio(occurs_NG, positive_N) for positive_N in positive_UN])

    @staticmethod
    def _log_ratio(occurs_NG: sp.csr_array, positive_N: np.ndarray) -> np.ndarray:
        positive_G, negative_G = (1 + occurs_NG[rows_N].sum(axis=0) for rows_N in (positive_N, ~positive_N))
        ratio_G: np.ndarray = np.log((positive_G / positive_G.sum()) / (negative_G / negative_G.sum()))
        return ratio_G

    def values(self, counts_NG: sp.csr_array, scale_G: np.ndarray) -> sp.csr_array:
        return (counts_NG > 0) @ sp.diags_array(scale_G)


def fit(config: Config, *, data_dir: Path, run_dir: Path) -> FitResult:
    """Fit the configured baseline on train, and store it in `run_dir/model`."""
    data, model = build_data(config, data_dir), build(config["model"])
    data.read()
    started, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(1):  # OpenBLAS, which liblinear adds with, splits long sums between its threads
        model.fit(data.texts["train"], data.truth["train"].numpy(), len(data.labels))
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    accuracy = {f"{split}/accuracy": _accuracy(model, data, split) for split in ("train", "val")}

    def write(aside: Path) -> None:
        model.save(aside)
        checkpoints.save_config(config, data.labels, aside)
        trail.write(aside, step=1, epoch=1, arrays=[model.weights_UG, model.bias_U])

    facts: CheckpointFacts = {"config_digest": digest(config), "data_digest": data.describe().digest}
    checkpoints.publish(run_dir / "model", write, **facts)
    return FitResult(run_dir / "model", accuracy, steps=1, epochs=1, wall_s=wall_s, cpu_s=cpu_s)


def _accuracy(model: LinearText, data: "TextData", split: Split) -> float:
    scores_NC = model.probabilities(data.texts[split])
    return float((scores_NC.argmax(axis=1) == data.truth[split].numpy()).mean())
