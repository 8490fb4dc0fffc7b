"""What an answer rests on, found out by asking again: with a part covered, a word left out, a text not yet read.

Nothing but answers is needed, so every kind of model is looked into alike. Source: Zeiler, Fergus 2014, arXiv:1311.2901
(covering parts of an image).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.evaluate import log_odds
from pipeline.models.cnn import Conv
from pipeline.types import Classifier

# N texts, T words, H height, W width, C channel, K class
PATCH = 4  # pixels


def occlusion(predictor: Classifier, image_CHW: Tensor, label: int, patch: int = PATCH) -> np.ndarray:
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


@torch.inference_mode()
def feature_maps(net: nn.Module, image_CHW: Tensor) -> list[np.ndarray]:
    """(C, H, W) after each convolution of a net, with what belongs to it; none if it has no convolution."""
    seen: list[np.ndarray] = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: seen.append(output[0].numpy()))
        for module in net.modules()
        if isinstance(module, Conv)
    ]
    try:
        net(image_CHW[None])
    finally:
        for hook in hooks:
            hook.remove()
    return seen[: len(hooks)]  # a net that looks at moved images, too, begins with the image itself


def words(predictor: Classifier, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(T,) probability of the last class after each word, and (T,) log-odds that each word adds: lost without it."""
    count = len(tokens)
    after = [" ".join(tokens[: place + 1]) for place in range(count)]
    without = [" ".join((*tokens[:place], *tokens[place + 1 :])) for place in range(count)]
    scores_N = predictor.texts([*after, *without])[:, -1]
    odds_N = log_odds(scores_N)
    return scores_N[:count], odds_N[count - 1] - odds_N[count:]
