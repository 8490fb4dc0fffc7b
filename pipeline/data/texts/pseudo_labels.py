"""Pseudo-labels: a trained teacher's class probabilities for texts without a label.

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531 (distillation); here the teacher saw none of these texts.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.cache import cached_tensor

# M texts without a label, K class
VERSION = 1  # raised when the same teacher would predict otherwise
BATCH = 5000  # texts predicted together: their words are in memory
Predict = Callable[[Sequence[str]], np.ndarray]  # texts to (M, K) class probabilities


def teacher_predictions(
    load: Callable[[], Predict],
    weights_digest: str,
    texts: Callable[[], Iterable[str]],
    source: str,
    cache: Path,
    progress: Callable[[int, int], None],
) -> Tensor:
    """(M, K) float32 probabilities of the texts, kept in `cache` by the digests of teacher and texts (`source`).

    `progress` is called with the number of texts that are done, and of all.
    """

    def compute() -> Tensor:
        predict, unlabelled = load(), list(texts())
        found: list[np.ndarray] = []
        for start in range(0, len(unlabelled), BATCH):
            found.append(predict(unlabelled[start : start + BATCH]))
            progress(start + len(found[-1]), len(unlabelled))
        return torch.from_numpy(np.concatenate(found)).float()

    key = hashlib.sha256(json.dumps([VERSION, weights_digest, source]).encode()).hexdigest()
    return cached_tensor(cache / f"teacher-{key}.safetensors", "probabilities", compute)
