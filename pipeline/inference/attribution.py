"""Occlusion attribution: how the log-odds of a prediction change without a word of a text or a part of an image.

Source: Zeiler, Fergus 2014, arXiv:1311.2901.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pipeline.evaluation.classification import log_odds
from pipeline.types import Classifier


def word_effects(predictor: Classifier, text: str) -> tuple[int, float, list[tuple[str, float]]]:
    """The predicted class of a text, its probability, and each word with its effect.

    A word's effect is the log-odds of the predicted class with the word minus the log-odds without it: above 0 the word
    supports the prediction. Words are separated by spaces. A text of N words costs N + 1 predictions.
    """
    words = text.split()
    without = [" ".join(words[:index] + words[index + 1 :]) for index in range(len(words))]
    scores_MC = np.asarray(predictor.text_probabilities([text, *without]), dtype=np.float64)
    label = int(scores_MC[0].argmax())
    p_M = scores_MC[:, label].clip(1e-9, 1 - 1e-9)
    odds_M = np.log(p_M / (1 - p_M))
    return label, float(scores_MC[0, label]), list(zip(words, (odds_M[0] - odds_M[1:]).tolist(), strict=True))


CELLS = 5  # on each side of the grid that an image is divided into


def region_effects(predictor: Classifier, image_CHW: Tensor) -> np.ndarray:
    """(5, 5) effects of the regions of an image on the log-odds of its predicted class.

    A region's effect is the log-odds of the image minus the log-odds with the region in the image's mean colour: above
    0 the region supports the prediction. Costs 26 predictions.
    """
    mean_C11 = image_CHW.mean(dim=(1, 2), keepdim=True)
    height, width = image_CHW.shape[1:]
    batch = [image_CHW]
    for cell in range(CELLS**2):
        (top, bottom), (left, right) = (
            (side * index // CELLS, side * (index + 1) // CELLS)
            for side, index in ((height, cell // CELLS), (width, cell % CELLS))
        )
        without = image_CHW.clone()
        without[:, top:bottom, left:right] = mean_C11
        batch.append(without)
    scores_MC = np.stack([predictor.probabilities(image[None])[0].numpy() for image in batch]).astype(np.float64)
    p_M = scores_MC[:, scores_MC[0].argmax()].clip(1e-9, 1 - 1e-9)
    odds_M = np.log(p_M / (1 - p_M))
    effects: np.ndarray = (odds_M[0] - odds_M[1:]).reshape(CELLS, CELLS)
    return effects


# N texts, M predictions, T words, H height, W width, C channels
PATCH = 4  # pixels


def patch_occlusion(predictor: Classifier, image_CHW: Tensor, label: int, patch: int = PATCH) -> np.ndarray:
    """(H, W) log-odds that a class loses under a black patch, averaged over all patches that cover a pixel."""
    _, height, width = image_CHW.shape
    corners = [(top, left) for top in range(height - patch + 1) for left in range(width - patch + 1)]
    covered = image_CHW.repeat(len(corners) + 1, 1, 1, 1)
    for number, (top, left) in enumerate(corners):
        covered[number, :, top : top + patch, left : left + patch] = 0
    odds = np.concatenate([predictor.log_odds(batch, label) for batch in covered.split(256)])
    lost, covers = np.zeros((height, width)), np.zeros((height, width))
    for number, (top, left) in enumerate(corners):
        lost[top : top + patch, left : left + patch] += odds[-1] - odds[number]
        covers[top : top + patch, left : left + patch] += 1
    mean: np.ndarray = lost / covers
    return mean


def word_occlusion(predictor: Classifier, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(T,) probability of the last class after each prefix of the words, and (T,) log-odds lost without each word."""
    count = len(tokens)
    prefixes = [" ".join(tokens[: index + 1]) for index in range(count)]
    without = [" ".join((*tokens[:index], *tokens[index + 1 :])) for index in range(count)]
    scores_N = predictor.text_probabilities([*prefixes, *without])[:, -1]
    odds_N = log_odds(scores_N)
    return scores_N[:count], odds_N[count - 1] - odds_N[count:]
