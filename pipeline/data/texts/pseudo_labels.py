"""Pseudo-labels: a trained teacher's class probabilities for unlabelled texts.

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531 (distillation); the teacher was trained on none of these texts.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.cache import cached_tensor

# M unlabelled texts, K class
VERSION = 1  # raised when the same teacher would predict differently
BATCH = 5000  # texts in memory at once
Predict = Callable[[Sequence[str]], np.ndarray]  # texts to (M, K) class probabilities


def teacher_predictions(
    load: Callable[[], Predict],
    weights_digest: str,
    texts: Callable[[], Iterable[str]],
    source: str,
    cache: Path,
    progress: Callable[[int, int], None],
) -> Tensor:
    """(M, K) float32 probabilities of the texts, cached by the digests of teacher and texts (`source`).

    `progress` is called with the number of finished texts and of all texts.
    """

    def compute() -> Tensor:
        predict, unlabelled = load(), list(texts())
        batches: list[np.ndarray] = []
        for start in range(0, len(unlabelled), BATCH):
            batches.append(predict(unlabelled[start : start + BATCH]))
            progress(start + len(batches[-1]), len(unlabelled))
        return torch.from_numpy(np.concatenate(batches)).float()

    key = hashlib.sha256(json.dumps([VERSION, weights_digest, source]).encode()).hexdigest()
    return cached_tensor(cache / f"teacher-{key}.safetensors", "probabilities", compute)
