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
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.data.kept import kept
from pipeline.errors import DataError

# N texts, K class
VERSION = 1  # raised when the same settings would give other answers
ANSWERS, SHARES = "taught.safetensors", "shares"  # in a run's folder: what a stored teacher tells


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


def leave(run_dir: Path, told: Callable[[], np.ndarray], weights: str, folder: Path, source: str) -> None:
    """Write (N, K) what a stored model, known by its `weights`' digest, tells of the unlabelled texts into a run's
    folder, unless it lies there; kept in `folder`, too, for the next run."""
    kept(run_dir / ANSWERS, SHARES, lambda: _kept(folder, [weights, source], told))


def left(run_dir: Path) -> Tensor:
    """(N, K) what `leave` has written.

    Raises: DataError if that is not there or torn.
    """
    try:
        shares_NK: Tensor = load_file(run_dir / ANSWERS)[SHARES]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"{run_dir / ANSWERS}: not a teacher's answers ({error}). Train again.") from error
    return shares_NK


def _kept(folder: Path, of: Sequence[Any], ask: Callable[[], np.ndarray]) -> Tensor:
    known = json.dumps([VERSION, *of], sort_keys=True)
    path = folder / f"taught-{hashlib.sha256(known.encode()).hexdigest()}.safetensors"
    return kept(path, SHARES, lambda: torch.from_numpy(ask()).float())
