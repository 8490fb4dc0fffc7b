"""Pictures of a run: learning curves, confusion matrix, worst errors, where a translator looks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline import evaluate
from pipeline.types import Predictions

TRAIN, VAL = "#4c72b0", "#dd8452"


def learning_curves(events: Sequence[dict[str, Any]], path: Path) -> None:
    """Loss and accuracy against epochs, train and validation."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        for name, value in event.get("metrics", {}).items():
            curves.setdefault(name, []).append((event["epoch"] + 1, value))
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split, colour in (("train", TRAIN), ("val", VAL)):
            if points := curves.get(f"{split}/{measure}"):
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=split)
        axes.set(xlabel="epoch", title=measure)
        axes.set_xlim(0.5, max((point[0] for points in curves.values() for point in points), default=1) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def confusion_matrix(predictions: Predictions, title: str, path: Path) -> None:
    """Counts of true against predicted classes; the shade shows each row's errors, so that they stand out."""
    counts = evaluate.confusion(predictions)
    errors = counts * (1 - np.eye(len(counts)))
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    axes = figure.subplots()
    rates = errors / counts.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(rates, cmap="Oranges", vmin=0, vmax=max(1.6 * rates.max(), 1e-9))  # no cell too dark for its number
    for row, column in np.ndindex(*counts.shape):
        weight = "bold" if row == column else "normal"
        axes.text(column, row, str(counts[row, column] or ""), ha="center", va="center", fontsize=8, weight=weight)
    ticks = range(len(counts))
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.set_xticks(ticks, predictions.labels)
    axes.set_yticks(ticks, predictions.labels)
    figure.savefig(path, dpi=110)


def error_grid(images_NHW: np.ndarray, predictions: Predictions, path: Path, count: int = 40) -> None:
    """The most confident wrong answers as pictures, each with its truth, the answer and its probability."""
    worst = evaluate.worst_errors(predictions, count)
    columns = 8
    rows = max(1, -(-len(worst) // columns))
    figure = Figure(figsize=(columns * 1.3, rows * 1.5 + 0.5), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, index in zip(figure.axes, worst, strict=False):
        score = predictions.y_score[index]
        axes.imshow(images_NHW[index], cmap="gray_r", vmin=0, vmax=1)
        true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
        axes.set_title(f"{true}, not {guess} ({score.max():.0%})", fontsize=7)
    wrong = int((predictions.y_score.argmax(axis=1) != predictions.y_true).sum())
    figure.suptitle(f"{len(worst)} of {wrong} errors, the most confident first", fontsize=10)
    figure.savefig(path, dpi=110)


def attention_map(weights_TS: np.ndarray, source: str, answer: str, path: Path) -> None:
    """Where a translator looked for each letter of its answer, a row a letter and the last for the end."""
    letters = [*answer, "end"][: len(weights_TS)]
    figure = Figure(figsize=(1.5 + 0.35 * len(source), 1 + 0.35 * len(letters)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights_TS, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), list(source))
    axes.set_yticks(range(len(letters)), letters)
    axes.xaxis.tick_top()
    axes.set_title(f"{source} → {answer}")
    figure.savefig(path, dpi=110)


def results_markdown(entries: Sequence[dict[str, Any]]) -> str:
    """One line an experiment: mean, standard deviation and cost over its seeds, from the committed results."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry["experiment"], []).append(entry)
    lines = [
        "# Results",
        "",
        "Written by `pipeline report` from `metrics/` and `results/`; do not edit.",
        "Mean ± standard deviation over the seeds.",
        "CPU-seconds are of training with its validation, summed over the workers.",
        "",
        "| experiment | data | test accuracy % | seeds | CPU-s | wall s | hardware | repeat it |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, group in groups.items():
        seeds = ", ".join(str(entry["seed"]) for entry in group)
        accuracy = spread([100 * entry["metrics"]["test/accuracy"] for entry in group], 2)
        cpu, wall = (spread([entry[key] for entry in group], 0) for key in ("cpu_s", "wall_s"))
        data, where = group[0]["dataset"]["name"], " / ".join(sorted({entry["hardware"] for entry in group}))
        command = f"`pipeline train experiment={name} seed=0`"
        lines.append(f"| {name} | {data} | {accuracy} | {seeds} | {cpu} | {wall} | {where} | {command} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], digits: int) -> str:
    """`mean ± standard deviation` (of a sample), or the value alone if there is one."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean
