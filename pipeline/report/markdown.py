"""Results as markdown tables: scores over seeds, their spread and their costs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.types import PrimaryMetric

LECTURES_AREA = {  # its notebook: MinerKasch/applied_deep_learning, Dogs vs Cats.ipynb
    "dogcat_logistic": ".5506",
    "dogcat_mlp": ".5934",
    "dogcat_cnn": ".7069",
    "dogcat_transfer": ".9967 (VGG16; with augmentation .9985)",
}

UNSEEN = ("test/accuracy", "test/accuracy_unseen")


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
    headlines = [PrimaryMetric.of(entry["metrics"]) for entry in entries]
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
