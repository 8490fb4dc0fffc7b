"""Robustness: a classifier's accuracy under shifts of growing strength, as curves.

A curve takes many passes, so it is measured on a fixed random part of a split, the same for all models: an evaluation
with all curves costs a few times what an evaluation without them costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from torch import Tensor

from pipeline.evaluation import image_shifts, text_shifts

if TYPE_CHECKING:
    from pipeline.runs.results import Curve

# N samples
SAMPLES = 1000  # of a split at most
PIXELS = 2**22  # of all images at most: those that fewer fit in are photographs, which cost a net more
SEED = 0
CHUNK = 100  # images in memory at once
SENTIMENT = ("negative", "positive")  # the classes for which negated sentences are known to be right

Inputs = TypeVar("Inputs")
Texts = Sequence[str]
ClassifyImages = Callable[[Tensor], np.ndarray]  # (N, C, H, W) images to (N,) classes
ClassifyTexts = Callable[[Texts], np.ndarray]


@dataclass(frozen=True, slots=True)
class Shift(Generic[Inputs]):
    """A kind of shift, its strengths, and the function that applies one to inputs."""

    name: str
    strengths: tuple[float, ...]
    apply: Callable[[Inputs, float], Inputs]


OF_IMAGES = (
    Shift("rotation", (-60, -45, -30, -15, 0, 15, 30, 45, 60), image_shifts.rotated),
    Shift("noise", (0, 0.1, 0.2, 0.3, 0.4, 0.5), image_shifts.noisy),
    Shift("blur", (0, 2, 4, 6, 8), image_shifts.blurred),
)
# Of bright strokes on a dark ground alone.
OF_DIGITS = (
    Shift("inversion", (0, 1), image_shifts.inverted),
    Shift("stroke width", (-1, -0.75, -0.5, 0, 0.5, 1, 1.5, 2), image_shifts.with_strokes),
)
OF_TEXTS: tuple[Shift[Texts], ...] = (
    Shift("typos", (0, 0.05, 0.1, 0.2, 0.3), text_shifts.with_typos),
    Shift("truncation", (0, 0.5, 0.75, 0.9, 0.95), text_shifts.truncated),
)
NEGATION = "negation"


def chosen(count: int, pixels: int = 1) -> np.ndarray:
    """Indices of the samples that curves are measured on, in rising order; images have so many pixels each."""
    most = min(SAMPLES, max(1, PIXELS // pixels))
    return np.sort(np.random.default_rng(SEED).permutation(count)[:most])


def of_images(classify: ClassifyImages, images_NCHW: Tensor, truth_N: np.ndarray, digits: bool) -> "dict[str, Curve]":
    """A curve for each shift of images; those of `OF_DIGITS` only with `digits`."""
    shifts = (*OF_IMAGES, *OF_DIGITS) if digits else OF_IMAGES

    def classify_chunks(apply: Callable[[Tensor, float], Tensor], strength: float) -> np.ndarray:
        return np.concatenate([classify(apply(chunk, strength)) for chunk in images_NCHW.split(CHUNK)])

    return _curves(shifts, classify_chunks, truth_N)


def of_texts(classify: ClassifyTexts, texts: Texts, truth_N: np.ndarray, labels: Sequence[str]) -> "dict[str, Curve]":
    """A curve for each shift of texts; that of negation only for the classes negative and positive."""
    found = _curves(OF_TEXTS, lambda apply, strength: classify(apply(texts, strength)), truth_N)
    return {**found, NEGATION: _of_negation(classify)} if tuple(labels) == SENTIMENT else found


def _curves(
    shifts: Sequence[Shift[Inputs]],
    classify: Callable[[Callable[[Inputs, float], Inputs], float], np.ndarray],
    truth_N: np.ndarray,
) -> "dict[str, Curve]":
    """A curve for each shift; what is not shifted is classified once for all."""
    unshifted = _accuracy(classify(shifts[0].apply, 0), truth_N)

    def accuracy(shift: Shift[Inputs], strength: float) -> float:
        return _accuracy(classify(shift.apply, strength), truth_N) if strength else unshifted

    return {
        shift.name: {
            "samples": len(truth_N),
            "strength": list(shift.strengths),
            "accuracy": [accuracy(shift, strength) for strength in shift.strengths],
        }
        for shift in shifts
    }


def _of_negation(classify: ClassifyTexts) -> "Curve":
    """The accuracy on short sentences, by the number of words from the negation to the adjective."""
    sentences = {distance: text_shifts.negated(distance) for distance in text_shifts.SENTENCES}
    return {
        "samples": len(sentences[0][0]),
        "strength": list(sentences),
        "accuracy": [_accuracy(classify(texts), np.array(praise)) for texts, praise in sentences.values()],
    }


def _accuracy(predicted_N: np.ndarray, truth_N: np.ndarray) -> float:
    return round(float((predicted_N == truth_N).mean()), 4)
