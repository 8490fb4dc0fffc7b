"""Which words of a text a classifier's answer rests on: what changes if one is left out, whatever the classifier.

Source: Zeiler, Fergus 2014, arXiv:1311.2901 (occlusion), here of words.
"""

from typing import Any

import numpy as np


def word_effects(predictor: Any, text: str) -> tuple[int, float, list[tuple[str, float]]]:
    """The class a text is given, its probability, and each word with what it adds to the answer's log-odds.

    A word's effect is the log-odds with it less those without it: above 0 it speaks for the answer. Words come as they
    are written, between spaces. A text of N words asks the predictor for N + 1 texts.
    """
    words = text.split()
    without = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
    scores_MC = np.asarray(predictor.texts([text, *without]), dtype=np.float64)
    answer = int(scores_MC[0].argmax())
    p_M = scores_MC[:, answer].clip(1e-9, 1 - 1e-9)
    odds_M = np.log(p_M / (1 - p_M))
    return answer, float(scores_MC[0, answer]), list(zip(words, (odds_M[0] - odds_M[1:]).tolist(), strict=True))
