"""What a classifier's answer rests on: what changes if a word of a text, or a part of a picture, is left out.

Source: Zeiler, Fergus 2014, arXiv:1311.2901 (occlusion).
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pipeline.evaluation.classification import log_odds
from pipeline.types import Classifier


def word_effects(predictor: Classifier, text: str) -> tuple[int, float, list[tuple[str, float]]]:
    """The class a text is given, its probability, and each word with what it adds to the answer's log-odds.

    A word's effect is the log-odds with it less those without it: above 0 it speaks for the answer. Words come as they
    are written, between spaces. A text of N words asks the predictor for N + 1 texts.
    """
    words = text.split()
    without = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
    scores_MC = np.asarray(predictor.text_probabilities([text, *without]), dtype=np.float64)
    answer = int(scores_MC[0].argmax())
    p_M = scores_MC[:, answer].clip(1e-9, 1 - 1e-9)
    odds_M = np.log(p_M / (1 - p_M))
    return answer, float(scores_MC[0, answer]), list(zip(words, (odds_M[0] - odds_M[1:]).tolist(), strict=True))


CELLS = 5  # a side


def region_effects(predictor: Classifier, image_CHW: Tensor) -> np.ndarray:
    """(5, 5): what each part of a picture adds to the log-odds of the answer to it.

    A part's effect is the log-odds with it less those where it has the picture's mean colour: above 0 it speaks for the
    answer. Asks the predictor for 26 pictures.
    """
    mean_C11 = image_CHW.mean(dim=(1, 2), keepdim=True)
    height, width = image_CHW.shape[1:]
    asked = [image_CHW]
    for cell in range(CELLS**2):
        (top, bottom), (left, right) = (
            (side * at // CELLS, side * (at + 1) // CELLS)
            for side, at in ((height, cell // CELLS), (width, cell % CELLS))
        )
        without = image_CHW.clone()
        without[:, top:bottom, left:right] = mean_C11
        asked.append(without)
    scores_MC = np.stack([predictor.probabilities(one[None])[0].numpy() for one in asked]).astype(np.float64)
    p_M = scores_MC[:, scores_MC[0].argmax()].clip(1e-9, 1 - 1e-9)
    odds_M = np.log(p_M / (1 - p_M))
    effects: np.ndarray = (odds_M[0] - odds_M[1:]).reshape(CELLS, CELLS)
    return effects


# N texts, T words, H height, W width, C channel, K class
PATCH = 4  # pixels


def patch_occlusion(predictor: Classifier, image_CHW: Tensor, label: int, patch: int = PATCH) -> np.ndarray:
    """(H, W) log-odds that the class loses where a patch is covered with black, the mean over all patches there."""
    _, height, width = image_CHW.shape
    places = [(top, left) for top in range(height - patch + 1) for left in range(width - patch + 1)]
    covered = image_CHW.repeat(len(places) + 1, 1, 1, 1)
    for number, (top, left) in enumerate(places):
        covered[number, :, top : top + patch, left : left + patch] = 0
    odds = np.concatenate([predictor.log_odds(some, label) for some in covered.split(256)])
    lost, times = np.zeros((height, width)), np.zeros((height, width))
    for number, (top, left) in enumerate(places):
        lost[top : top + patch, left : left + patch] += odds[-1] - odds[number]
        times[top : top + patch, left : left + patch] += 1
    mean: np.ndarray = lost / times
    return mean


def word_occlusion(predictor: Classifier, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(T,) probability of the last class after each word, and (T,) log-odds that each word adds: lost without it."""
    count = len(tokens)
    after = [" ".join(tokens[: place + 1]) for place in range(count)]
    without = [" ".join((*tokens[:place], *tokens[place + 1 :])) for place in range(count)]
    scores_N = predictor.text_probabilities([*after, *without])[:, -1]
    odds_N = log_odds(scores_N)
    return scores_N[:count], odds_N[count - 1] - odds_N[count:]
