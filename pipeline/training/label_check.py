"""Class probabilities of each sample by a small classifier that was trained on the others, to find wrong labels.

The classifiers need no settings and train in seconds: nearest neighbours on principal components of images, TF-IDF with
logistic regression on texts.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

# N samples, C classes
FOLDS = 5
COMPONENTS, NEIGHBOURS = 50, 10


def of_images(images_N: np.ndarray, label_N: np.ndarray) -> np.ndarray:
    """(N, C) class probabilities of images of one shape."""
    flat_ND = images_N.reshape(len(images_N), -1).astype(np.float32) / 255
    folds = _folds(label_N)
    smallest = len(flat_ND) - -(-len(flat_ND) // folds)  # training part of a fold
    components = min(COMPONENTS, smallest, flat_ND.shape[1])
    model = make_pipeline(
        PCA(components, svd_solver="randomized", random_state=0),
        KNeighborsClassifier(min(NEIGHBOURS, smallest), weights="distance"),
    )
    return _out_of_fold(model, flat_ND, label_N, folds)


def of_texts(texts: Sequence[str], label_N: np.ndarray) -> np.ndarray:
    """(N, C) class probabilities of texts."""
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000)
    )
    return _out_of_fold(model, list(texts), label_N, _folds(label_N))


def _folds(label_N: np.ndarray) -> int:
    """As many folds as the smallest class has samples, at most `FOLDS`."""
    return min(FOLDS, int(np.bincount(label_N).min()))


def _out_of_fold(model: BaseEstimator, inputs: np.ndarray | list[str], label_N: np.ndarray, folds: int) -> np.ndarray:
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    scores_NC: np.ndarray = cross_val_predict(model, inputs, label_N, cv=splitter, method="predict_proba")
    return scores_NC
