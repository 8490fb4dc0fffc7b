"""Matplotlib figures of a trained model: learning curves, confusion matrix, errors, attention, decision map."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from pipeline.evaluation import calibration, classification
from pipeline.models.neuron import ACTIVATIONS
from pipeline.types import Classifier, Event, Predictions

LEGIBLE_CLASSES = 30  # a side of a confusion matrix whose counts and names can be read
COLOURS = {"train": "#4c72b0", "val": "#dd8452"}


def learning_curves(events: Sequence[Event], path: Path) -> None:
    """A panel for each metric over the epochs, with lines for train and validation."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for event in events:
        for name, value in event.get("metrics", {}).items():
            split, _, metric = name.partition("/")
            curves.setdefault(metric, {}).setdefault(split, []).append((event["epoch"] + 1, value))
    figure = Figure(figsize=(5 * max(len(curves), 1), 4), layout="constrained")
    for axes, (metric, splits) in zip(
        figure.subplots(1, len(curves) or 1, squeeze=False)[0], curves.items(), strict=False
    ):
        for split, points in splits.items():
            axes.plot(*zip(*points, strict=True), color=COLOURS.get(split), marker="o", markersize=3, label=split)
        axes.set(xlabel="epoch", title=metric.replace("_", " "))
        axes.set_xlim(0.5, max(epoch for points in splits.values() for epoch, _ in points) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def confusion_matrix(predictions: Predictions, title: str, path: Path) -> None:
    """Counts of true against predicted classes; the shade shows each row's errors, so that they stand out.

    Of more than `LEGIBLE_CLASSES` classes the counts are left out and not every class is named: they would overlap, and
    laying out 300 x 300 of them takes minutes.
    """
    counts = classification.confusion(predictions)
    errors = counts * (1 - np.eye(len(counts)))
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    axes = figure.subplots()
    rates = errors / counts.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(rates, cmap="Oranges", vmin=0, vmax=max(1.6 * rates.max(), 1e-9))  # no cell too dark for its number
    for row, column in zip(*counts.nonzero(), strict=True) if len(counts) <= LEGIBLE_CLASSES else ():
        weight = "bold" if row == column else "normal"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, weight=weight)
    ticks = range(0, len(counts), -(-len(counts) // LEGIBLE_CLASSES))
    labels = [predictions.labels[tick] for tick in ticks]
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    figure.savefig(path, dpi=110)


def reliability_diagram(uncalibrated: Predictions, calibrated: Predictions, path: Path) -> None:
    """Accuracy against confidence before and after temperature scaling; on the diagonal the two are equal.

    Source: Niculescu-Mizil, Caruana 2005, doi:10.1145/1102351.1102430.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for name, predictions, colour in (("uncalibrated", uncalibrated, "val"), ("calibrated", calibrated, "train")):
        counts, confidence, accuracy = zip(*calibration.reliability(predictions), strict=True)
        error = calibration.expected_calibration_error(predictions)
        sizes = [8 + 60 * count / max(counts) for count in counts]
        axes.plot(confidence, accuracy, color=COLOURS[colour], label=f"{name}: ECE {error:.2%}")
        axes.scatter(confidence, accuracy, sizes, color=COLOURS[colour])
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)


def error_grid(images_NHW: np.ndarray, predictions: Predictions, path: Path, count: int = 40) -> None:
    """Images of the most confident wrong predictions, each with true class, predicted class and probability.

    All share one pair of axes, in inches: the layout of 40 pairs takes matplotlib seconds.
    """
    worst = classification.worst_errors(predictions, count)
    columns, cell_width, cell_height, top, side = 8, 1.3, 1.5, 0.5, 1.15
    width, height = columns * cell_width, max(1, -(-len(worst) // columns)) * cell_height + top
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for place, index in enumerate(worst):
        score = predictions.y_score[index]
        x, y = (place % columns + 0.5) * cell_width, place // columns * cell_height + top
        down, right = (size * side / max(images_NHW[index].shape[:2]) for size in images_NHW[index].shape[:2])
        extent = (x - right / 2, x + right / 2, y + 0.25 + down, y + 0.25)
        axes.imshow(images_NHW[index], cmap="gray_r", vmin=0, vmax=1, extent=extent)
        true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
        axes.text(x, y + 0.2, f"{true}, not {guess} ({score.max():.0%})", fontsize=7, ha="center")
    wrong = int((predictions.y_score.argmax(axis=1) != predictions.y_true).sum())
    axes.text(width / 2, 0.3, f"{len(worst)} of {wrong} errors, the most confident first", fontsize=10, ha="center")
    axes.set(xlim=(0, width), ylim=(height, 0))
    figure.savefig(path, dpi=110)


def error_texts(texts: Sequence[str], predictions: Predictions, path: Path, count: int = 20) -> None:
    """Texts of the most confident wrong predictions, each with true class, predicted class and probability."""
    lines = ["# Most confident errors", ""]
    for index in classification.worst_errors(predictions, count):
        score = predictions.y_score[index]
        true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
        lines += [f"## {true}, not {guess} ({score.max():.0%})", "", texts[index].replace("<br />", "\n"), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def attention_map(weights_TS: np.ndarray, source: str, prediction: str, path: Path) -> None:
    """Attention weights: a row for each predicted letter and for the end, a column for each source letter."""
    letters = [*prediction, "end"][: len(weights_TS)]
    figure = Figure(figsize=(1.5 + 0.35 * len(source), 1 + 0.35 * len(letters)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights_TS, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), list(source))
    axes.set_yticks(range(len(letters)), letters)
    axes.xaxis.tick_top()
    axes.set_title(f"{source} → {prediction}")
    figure.savefig(path, dpi=110)


def activations(path: Path) -> None:
    """The activation functions, each with its derivative, formula and range."""
    x = torch.linspace(-4, 4, 401)
    rows, columns = 3, 4
    figure = Figure(figsize=(columns * 2.4, rows * 2.4), layout="constrained")
    *places, beside, last = figure.subplots(rows, columns).flat
    for axes, (name, activation) in zip(places, ACTIVATIONS.items(), strict=True):
        axes.plot(x.numpy(), activation.function(x).numpy(), color=COLOURS["train"], label="the function")
        axes.plot(
            x.numpy(), activation.derivative(x).numpy(), color=COLOURS["val"], linestyle="--", label="its derivative"
        )
        low, high = activation.range
        axes.set_title(f"{name}\n{activation.formula}\nfrom {low:g} to {high:g}", fontsize=10)
        axes.set(xticks=[-4, 0, 4], ylim=(-1.3, 2.3))
        axes.grid(alpha=0.3)
    beside.legend(*places[0].get_legend_handles_labels(), fontsize=12, loc="center")
    for axes in beside, last:
        axes.axis("off")
    figure.savefig(path, dpi=110)


def decision_map(
    classifier: Classifier,
    points: tuple[Tensor, Tensor],
    path: Path,
    net_inputs: Callable[[Tensor], Tensor] = lambda points_N2: points_N2,
) -> None:
    """Probability of class 1 over the plane, and points (N, 2) with their labels (N,).

    `net_inputs` maps points (N, 2) to the features (N, F) that the classifier takes.
    """
    points_N2, labels_N = points
    centre, reach = points_N2.mean(dim=0), 1.2 * (points_N2 - points_N2.mean(dim=0)).abs().max()
    steps = torch.linspace(-1, 1, 100) * reach
    x, y = torch.meshgrid(centre[0] + steps, centre[1] + steps, indexing="xy")
    shade = classifier.probabilities(net_inputs(torch.stack([x, y], dim=2).view(-1, 2)))[:, 1].view(100, 100)
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.pcolormesh(
        x.numpy(), y.numpy(), shade.numpy(), cmap="PuOr", vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    right, up = points_N2.T.numpy()
    axes.scatter(right, up, c=labels_N.numpy(), cmap="PuOr", vmin=0, vmax=1, edgecolors="black", linewidths=0.8)
    axes.set(aspect="equal")
    figure.savefig(path, dpi=110)
