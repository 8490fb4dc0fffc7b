"""The best validation of a run and its epoch."""

from collections.abc import Iterable

from pipeline.types import FRACTION_METRICS, PRIMARY_METRICS, Event


def best_validation(events: Iterable[Event]) -> dict[str, float]:
    """Metrics from a run's events: `val/best_accuracy`, or of another primary metric or the loss, and `val/best_epoch`.

    Epochs count from 1; {} for a run without validation.
    """
    epochs = [(event["metrics"], event["epoch"] + 1) for event in events if "metrics" in event]
    for name in (*PRIMARY_METRICS, "loss"):
        scores = [(metrics[f"val/{name}"], epoch) for metrics, epoch in epochs if f"val/{name}" in metrics]
        if scores:
            higher = name in FRACTION_METRICS
            best, epoch = (max if higher else min)(scores, key=lambda score: score[0])
            return {f"val/best_{name}": best, "val/best_epoch": float(epoch)}
    return {}
