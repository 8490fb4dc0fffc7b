"""Held-out splits in which every class is, and no text is on both sides."""

from collections.abc import Sequence

import numpy as np

from pipeline.errors import ConfigError, DataError


def count_of(key: str, size: float, total: int) -> int:
    """The number of samples that a size means: below 1 a share of all, from 1 on a count.

    Raises: ConfigError for a count that is not whole, or that leaves none to train on.
    """
    if size >= 1 and size != int(size):
        raise ConfigError(f"{key}: expected a share below 1 or a whole number, got {size}. Set {key}={round(size)}.")
    count = int(size) if size >= 1 else max(1, round(size * total))
    if count >= total:
        raise ConfigError(
            f"{key}: {count:,} of {total:,} samples leaves none to train on. Lower it: a size below 1 is a share."
        )
    return count


def stratified_group_holdout(
    labels_N: np.ndarray, groups_N: np.ndarray, size: int, names: Sequence[str], what: str
) -> np.ndarray:
    """(N,) bool: about `size` rows, each class in proportion and at least once, whole groups of equal samples.

    Groups are numbered by digests, so that those with the lowest numbers are a random sample, which neither a seed nor
    the order of the samples changes.

    Raises: DataError if a class has too few different samples to be on both sides.
    """
    held_out = np.zeros(len(labels_N), dtype=bool)
    _, first, group_N = np.unique(groups_N, return_index=True, return_inverse=True)
    class_G = labels_N[first]  # a group with contradictory labels counts for the class of its first sample
    sizes_G = np.bincount(group_N)
    out_G = np.zeros(len(first), dtype=bool)
    for label, name in enumerate(names):
        mine = np.flatnonzero(class_G == label)
        if len(mine) < 2:
            raise DataError(
                f"class {name}: expected at least 3 different samples, one for each split, got {len(mine)} to divide "
                f"into train and {what} (equal ones count once). Add samples, or leave the class out."
            )
        quota = max(1, round(size * float(sizes_G[mine].sum()) / len(labels_N)))
        taken = np.searchsorted(np.cumsum(sizes_G[mine]), quota) + 1
        out_G[mine[: min(taken, len(mine) - 1)]] = True  # one stays to train on
    held_out[out_G[group_N]] = True
    return held_out
