"""Pictures of a run: learning curves, confusion matrix, worst errors, where a translator looks."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from pipeline import evaluate
from pipeline.models.neuron import ACTIVATIONS
from pipeline.types import Classifier, Headline, Predictions

LECTURES_AREA = {  # its notebook: MinerKasch/applied_deep_learning, Dogs vs Cats.ipynb
    "dogcat_logistic": ".5506",
    "dogcat_mlp": ".5934",
    "dogcat_cnn": ".7069",
    "dogcat_transfer": ".9967 (VGG16; with augmentation .9985)",
}
UNSEEN = ("test/accuracy", "test/accuracy_unseen")
COLOURS = {"train": "#4c72b0", "val": "#dd8452"}


def learning_curves(events: Sequence[dict[str, Any]], path: Path) -> None:
    """Each measure against epochs, train and validation."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for event in events:
        for name, value in event.get("metrics", {}).items():
            split, _, measure = name.partition("/")
            curves.setdefault(measure, {}).setdefault(split, []).append((event["epoch"] + 1, value))
    figure = Figure(figsize=(5 * max(len(curves), 1), 4), layout="constrained")
    for axes, (measure, splits) in zip(
        figure.subplots(1, len(curves) or 1, squeeze=False)[0], curves.items(), strict=False
    ):
        for split, points in splits.items():
            axes.plot(*zip(*points, strict=True), color=COLOURS[split], marker="o", markersize=3, label=split)
        axes.set(xlabel="epoch", title=measure.replace("_", " "))
        axes.set_xlim(0.5, max(epoch for points in splits.values() for epoch, _ in points) + 0.5)
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


def error_texts(texts: Sequence[str], predictions: Predictions, path: Path, count: int = 20) -> None:
    """The most confident wrong answers to read, each with its truth, the answer and its probability."""
    lines = ["# The most confident errors", ""]
    for index in evaluate.worst_errors(predictions, count):
        score = predictions.y_score[index]
        true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
        lines += [f"## {true}, not {guess} ({score.max():.0%})", "", texts[index].replace("<br />", "\n"), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


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


def activations(path: Path) -> None:
    """The family of activation functions, each with its slope, its formula and its range."""
    x = torch.linspace(-4, 4, 401)
    columns = 5
    figure = Figure(figsize=(columns * 2.6, -(-len(ACTIVATIONS) // columns) * 2.6), layout="constrained")
    for axes, (name, one) in zip(
        figure.subplots(-(-len(ACTIVATIONS) // columns), columns).flat, ACTIVATIONS.items(), strict=False
    ):
        axes.plot(x.numpy(), one.function(x).numpy(), color=COLOURS["train"], label="f")
        axes.plot(x.numpy(), one.derivative(x).numpy(), color=COLOURS["val"], linestyle="--", label="f'")
        low, high = one.range
        axes.set_title(f"{name}: {one.formula}\nfrom {low:g} to {high:g}", fontsize=8)
        axes.set_ylim(-1.3, 2.3)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def decision_map(classifier: Classifier, points: tuple[Tensor, Tensor], path: Path) -> None:
    """What a classifier says at every place of the plane, and the points it was asked about."""
    inputs_N2, labels_N = points
    centre, reach = inputs_N2.mean(dim=0), 1.2 * (inputs_N2 - inputs_N2.mean(dim=0)).abs().max()
    steps = torch.linspace(-1, 1, 100) * reach
    x, y = torch.meshgrid(centre[0] + steps, centre[1] + steps, indexing="xy")
    shade = classifier.probabilities(torch.stack([x, y], dim=2).view(-1, 2))[:, 1].view(100, 100)
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.pcolormesh(
        x.numpy(), y.numpy(), shade.numpy(), cmap="PuOr", vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    right, up = inputs_N2.T.numpy()
    axes.scatter(right, up, c=labels_N.numpy(), cmap="PuOr", vmin=0, vmax=1, edgecolors="black", linewidths=0.8)
    axes.set(aspect="equal")
    figure.savefig(path, dpi=110)


def results_markdown(entries: Sequence[dict[str, Any]], claims: str) -> str:
    """One line an experiment: mean, standard deviation and cost over its seeds, from the committed results; then the
    table of claims.
    """
    groups = grouped(entries)
    lines = [
        "# Results",
        "",
        "Written by `pipeline report` from `results/`; do not edit.",
        "Mean ± standard deviation over the seeds.",
        "CPU-seconds are of training with its validation, summed over the workers, and of what it is built on:",
        "the members of a mean, the model that a net begins with, a stored teacher.",
        "The same with learning curves, errors and pictures, as one HTML page: `pipeline report`.",
        "What was tried, what each part is worth and what did not help: [tried.md](tried.md).",
        "",
        "![What each system gets wrong against what it costs to train](images/costs.svg)",
        "",
        "| experiment | data | test | seeds | CPU-s | wall s | hardware | repeat it |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    whole = costs(entries)
    for name, group in groups.items():
        cpu = spread(whole[name], 0)
        wall = spread([entry["wall_s"] for entry in group], 0)
        data, where = group[0]["dataset"]["name"], " / ".join(sorted({entry["hardware"] for entry in group}))
        command = f"`pipeline train experiment={name} seed=0`"
        lines.append(f"| {name} | {data} | {score(group)} | {seeds(group)} | {cpu} | {wall} | {where} | {command} |")
    lines += ["", "## Reviews that stand in train, too", "", "Test accuracy on all reviews, and without those."]
    lines += ["", "| experiment | all | unseen |", "| --- | --- | --- |"]
    for name, group in groups.items():
        both = [[100 * e["metrics"][key] for e in group if key in e["metrics"]] for key in UNSEEN]
        if both[1]:
            lines.append(f"| {name} | {spread(both[0], 2)} % | {spread(both[1], 2)} % |")
    return "\n".join([*lines, *_dogs_and_cats(groups), "", *_published(), "", "## The lecture's claims", "", claims])


README_ROWS = (
    "perceptron_mnist",
    "mlp_mnist",
    "mnist_fast",
    "mnist_cnn",
    "mnist_cnn_best",
    "imdb_tfidf",
    "imdb_lstm",
    "imdb_vat_best",
    "mnist_gan",
    "piglatin_seq2seq",
    "dogcat_transfer",
)


def readme_table(entries: Sequence[dict[str, Any]], root: Path) -> str:
    """The rows of README: what an experiment is, its score, its CPU-seconds with those of what it is built on."""
    groups, whole = grouped(entries), costs(entries)
    lines = ["| experiment | what it is | test, mean ± sd (seeds) | CPU-s |", "| --- | --- | --- | --- |"]
    for name in README_ROWS:
        if group := groups.get(name):
            cost = f"{np.mean(whole[name]):,.0f}"
            lines.append(f"| `{name}` | {described(name, root)} | {score(group)} ({len(group)}) | {cost} |")
    return "\n".join(lines) + "\n"


def described(experiment: str, root: Path) -> str:
    """What an experiment is, by the second line of its file."""
    lines = (root / f"conf/experiment/{experiment}.yaml").read_text(encoding="utf-8").splitlines()
    return lines[1].removeprefix("# ").removesuffix(".")


def _published() -> list[str]:
    from pipeline.report import references

    return ["## What others published", "", *references.markdown()]


def _dogs_and_cats(groups: dict[str, list[dict[str, Any]]]) -> list[str]:
    """ROC-AUC over the folds, beside what the lecture's notebook reached on one split."""
    own = {name: group for name, group in groups.items() if group[0]["dataset"]["name"] == "dogs-vs-cats"}
    lines = [
        "",
        "## Dogs and cats",
        "",
        "ROC-AUC on test. Each seed tests another fifth of the 2,000 pictures; the lecture",
    ]
    lines += [
        "tested on 400 of them once.",
        "",
        "| experiment | ROC-AUC | folds | lecture |",
        "| --- | --- | --- | --- |",
    ]
    for name, group in own.items():
        area = spread([entry["metrics"]["test/roc_auc"] for entry in group], 4)
        lines.append(f"| {name} | {area} | {len(group)} | {LECTURES_AREA.get(name, '')} |")
    return lines if own else []


def grouped(entries: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The results of each experiment."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry["experiment"], []).append(entry)
    return groups


def costs(entries: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """CPU-seconds of each experiment's results, and of all that each was built on, as far as that has results."""
    known = {f"{entry['experiment']}-{entry['seed']}": entry for entry in entries}

    def whole(name: str) -> set[str]:
        return {name}.union(*(whole(part) for part in known[name].get("built_on", ()) if part in known))

    return {
        name: [math.fsum(known[part]["cpu_s"] for part in whole(f"{name}-{entry['seed']}")) for entry in group]
        for name, group in grouped(entries).items()
    }


def score(entries: Sequence[dict[str, Any]]) -> str:
    """An experiment's headline over its seeds: `accuracy 99.55 ± 0.04 %`."""
    headlines = [Headline.of(entry["metrics"]) for entry in entries]
    known = [headline for headline in headlines if headline]
    return f"{known[0].name} {spread([one.value for one in known], known[0].digits)}{known[0].unit}"


def seeds(entries: Sequence[dict[str, Any]]) -> str:
    """Which seeds an experiment has results of: `0 to 4`, or each by itself if some between them are missing."""
    first, *others = found = sorted(entry["seed"] for entry in entries)
    if len(others) > 1 and found[-1] - first == len(others):
        return f"{first} to {found[-1]}"
    return ", ".join(map(str, found))


def spread(values: Sequence[float], digits: int) -> str:
    """`mean ± standard deviation` (of a sample), or the value alone if there is one."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean
