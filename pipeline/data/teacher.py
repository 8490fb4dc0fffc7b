"""What texts without a label teach: another model's answers to them, learned by a net in the place of labels.

Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531 (distillation); here the teacher saw none of these texts.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.data.kept import kept

# N texts, K class
VERSION = 1  # raised when the same settings would give other answers
AT_ONCE = 5000  # texts that a stored model answers together: their words are in memory


class Teacher(Protocol):
    """A model that learns from texts in seconds."""

    def fit(self, texts: Sequence[str], truth_N: np.ndarray) -> None: ...

    def probabilities(self, texts: Iterable[str]) -> np.ndarray: ...


def taught(
    teacher: Teacher,
    texts: Sequence[str],
    truth_N: Tensor,
    unlabelled: Callable[[], Iterable[str]],
    folder: Path,
    source: str,
) -> Tensor:
    """(N, K) the class probabilities of the unlabelled texts, kept in `folder`."""
    learned = hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def ask() -> np.ndarray:
        teacher.fit(texts, truth_N.numpy())
        return teacher.probabilities(unlabelled())

    return _kept(folder, [type(teacher).__name__, vars(teacher), source, learned], ask)


def told(
    load: Callable[[], Any],
    weights: str,
    unlabelled: Callable[[], Iterable[str]],
    folder: Path,
    source: str,
    progress: Callable[[int, int], None],
) -> Tensor:
    """(N, K) the same of a stored model, known by its `weights`' digest; `progress` is told how many of how many."""

    def ask() -> np.ndarray:
        model, texts = load(), list(unlabelled())
        found: list[np.ndarray] = []
        for start in range(0, len(texts), AT_ONCE):
            found.append(model.texts(texts[start : start + AT_ONCE]))
            progress(start + len(found[-1]), len(texts))
        return np.concatenate(found)

    return _kept(folder, [weights, source], ask)


def _kept(folder: Path, of: Sequence[Any], ask: Callable[[], np.ndarray]) -> Tensor:
    known = json.dumps([VERSION, *of], sort_keys=True)
    path = folder / f"taught-{hashlib.sha256(known.encode()).hexdigest()}.safetensors"
    return kept(path, "shares", lambda: torch.from_numpy(ask()).float())
