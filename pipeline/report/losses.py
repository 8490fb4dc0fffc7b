"""Reasons why a training loss can stand above the validation loss of the same net."""

import math
from collections.abc import Iterator, Mapping, Sequence

Row = Mapping[str, float]  # an epoch of a learning curve


def stands_above(curves: Sequence[Sequence[Row]]) -> bool:
    """Whether the training loss of the last epoch is above the validation loss in every seed's learning curve."""
    last = [rows[-1] for rows in curves if rows]
    keys = {"train/loss", "val/loss"}
    return bool(last) and all(keys <= row.keys() and row["train/loss"] > row["val/loss"] for row in last)


def smoothed_minimum(smoothing: float, classes: int) -> float:
    """The least possible cross-entropy with smoothed labels: the entropy of the label itself, in nats.

    Label smoothing gives each of K classes smoothing / K, and the true class the rest (arXiv:1512.00567).
    """
    other = smoothing / classes
    true = 1 - smoothing + other
    return -true * math.log(true) - (classes - 1) * other * math.log(other)


def explanation(config: Mapping[str, object], classes: int) -> str:
    """A sentence about what the training loss of a configuration contains and its validation loss does not."""
    parts = []
    smoothing = _first(config, "label_smoothing")
    if smoothing and classes > 1:
        least = smoothed_minimum(smoothing, classes)
        parts.append(
            f"label smoothing of {smoothing:g} (with {classes} classes, even a perfect prediction costs {least:.2f})"
        )
    if _first(config, "dropout"):
        parts.append("dropout")
    data = config.get("data")
    if isinstance(data, Mapping) and data.get("augment"):
        parts.append("randomly changed images")
    parts.append("the weights of the whole epoch, not only its last")
    listed = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return (
        "Training loss stands above validation loss here. The two are not measured alike: "
        f"the training loss includes {listed}; the validation loss does not."
    )


def _first(node: object, key: str) -> float | None:
    """The first number above zero that a key has anywhere in a configuration."""
    return next((number for number in _numbers(node, key) if number > 0), None)


def _numbers(node: object, key: str) -> Iterator[float]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == key and isinstance(value, int | float):
                yield value
            yield from _numbers(value, key)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _numbers(value, key)
