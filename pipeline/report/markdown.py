"""Results as markdown tables: mean and standard deviation over seeds, and cost."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.runs.replays import Replay
from pipeline.runs.results import Result
from pipeline.types import PrimaryMetric

LECTURE_ROC_AUC = {  # from the lecture's notebook: MinerKasch/applied_deep_learning, Dogs vs Cats.ipynb
    "dogcat_logistic": ".5506",
    "dogcat_mlp": ".5934",
    "dogcat_cnn": ".7069",
    "dogcat_transfer": ".9967 (VGG16; with augmentation .9985)",
}

UNSEEN = ("test/accuracy", "test/accuracy_unseen")  # on all of test, and without samples that occur in train


def results_markdown(entries: Sequence[Result], claims: str, replays: Sequence[Replay]) -> str:
    """The page docs/results.md: a row for each experiment with mean, standard deviation and cost; then the claims."""
    from pipeline.report import comparisons, replayed, robustness, uncertainty, wrong_labels

    groups = grouped(entries)
    lines = [
        "# Results",
        "",
        "Written by `pipeline report` from `results/`; do not edit.",
        "Scores are mean ± standard deviation over the seeds. The 95 % interval is over the test samples: Wilson's,",
        "for as many samples as one seed is tested on, around the mean of the seeds.",
        "CPU-seconds are of training with validation, summed over the workers, including the required models: the",
        "members of an ensemble, the model that the initial weights come from, the teacher.",
        "`pipeline train experiment=mnist_cnn seed=0` trains one.",
        "`pipeline report` also writes an HTML page with learning curves, errors and images.",
        "Ablations and negative results: [what was tried](explanation/tried.md).",
        "",
        "![Test error against the cost of training](images/costs.svg)",
        "",
        "| experiment | data | test | 95 % interval | seeds | CPU-s | wall-clock s | hardware |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    whole = costs(entries)
    machines = {machine: number for number, machine in enumerate(sorted({entry["hardware"] for entry in entries}), 1)}
    for name, group in groups.items():
        if _of_dogs_and_cats(group):
            continue
        cpu = spread(whole[name], 0)
        wall = spread([entry["wall_s"] for entry in group], 0)
        data, where = group[0]["dataset"]["name"], sorted({machines[entry["hardware"]] for entry in group})
        scores = f"{score(group)} | {uncertainty.interval(group)}"
        lines.append(f"| {name} | {data} | {scores} | {seeds(group)} | {cpu} | {wall} | {', '.join(map(str, where))} |")
    lines += ["", "Hardware: " + "; ".join(f"{number}: {machine}" for machine, number in machines.items()) + "."]
    lines += ["", "## Test reviews that also occur in train", "", "Test accuracy on all reviews, and without those."]
    lines += ["", "| experiment | all | unseen |", "| --- | --- | --- |"]
    for name, group in groups.items():
        both = [[100 * e["metrics"][key] for e in group if key in e["metrics"]] for key in UNSEEN]
        if both[1]:
            lines.append(f"| {name} | {spread(both[0], 2)} % | {spread(both[1], 2)} % |")
    lines += [*_dogs_and_cats(groups, whole), "", *_published(), ""]
    lines += [*uncertainty.calibration_markdown(groups), *uncertainty.foreign_markdown(groups)]
    lines += [*robustness.markdown(groups), *wrong_labels.in_test(groups), *wrong_labels.in_train()]
    if rows := comparisons.markdown(comparisons.Groups(groups)):
        lines += ["## Comparisons", "", *rows, ""]
    lines += replayed.markdown(entries, replays)
    return "\n".join([*lines, "## The lecture's claims", "", claims])


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
)


def readme_table(entries: Sequence[Result], root: Path, names: Sequence[str] = README_ROWS) -> str:
    """The table of README: description, score and CPU-seconds (with those of required models) of each experiment."""
    from pipeline.report.uncertainty import interval

    groups, whole = grouped(entries), costs(entries)
    lines = [
        "| experiment | what it is | test, mean ± sd (seeds) | 95 % interval | CPU-s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in names:
        if group := groups.get(name):
            cost = f"{np.mean(whole[name]):,.0f}"
            scores = f"{score(group)} ({len(group)}) | {interval(group)}"
            lines.append(f"| `{name}` | {described(name, root)} | {scores} | {cost} |")
    return "\n".join(lines) + "\n"


def described(experiment: str, root: Path) -> str:
    """The description of an experiment, from the second line of its file; empty without a file."""
    file = root / f"conf/experiment/{experiment}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return lines[1].removeprefix("#").strip().removesuffix(".") if len(lines) > 1 else ""


def _published() -> list[str]:
    from pipeline.report import references

    return ["## Published results", "", *references.markdown()]


def _of_dogs_and_cats(group: Sequence[Result]) -> bool:
    return bool(group[0]["dataset"]["name"] == "dogs-vs-cats")


def _dogs_and_cats(groups: dict[str, list[Result]], whole: dict[str, list[float]]) -> list[str]:
    """Scores over the folds, beside the ROC-AUC of the lecture's notebook on one split."""
    lines = [
        "",
        "## Dogs and cats",
        "",
        "The lecture's 2,000 images have no public source as one file, so a stranger can't repeat these rows without",
        "[a mirror](how-to/add-a-data-set.md). Each seed tests another fifth of the images; the lecture tested on 400",
        "of them once. The first run of dogcat_transfer computes the features that the others read from the cache.",
        "",
        "| experiment | accuracy | ROC-AUC | folds | CPU-s | ROC-AUC in the lecture |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    own = {name: group for name, group in groups.items() if _of_dogs_and_cats(group)}
    for name, group in own.items():
        accuracy = spread([100 * entry["metrics"]["test/accuracy"] for entry in group], 2)
        area = spread([entry["metrics"]["test/roc_auc"] for entry in group], 4)
        cost, lecture = spread(whole[name], 0), LECTURE_ROC_AUC.get(name, "")
        lines.append(f"| {name} | {accuracy} % | {area} | {len(group)} | {cost} | {lecture} |")
    return lines if own else []


def grouped(entries: Sequence[Result]) -> dict[str, list[Result]]:
    """The results by experiment."""
    groups: dict[str, list[Result]] = {}
    for entry in entries:
        groups.setdefault(entry["experiment"], []).append(entry)
    return groups


def costs(entries: Sequence[Result]) -> dict[str, list[float]]:
    """CPU-seconds of each experiment's runs, including those of the required models that have results."""
    known = {f"{entry['experiment']}-{entry['seed']}": entry for entry in entries}

    def with_required(name: str) -> set[str]:
        required = (model for model in known[name].get("built_on", ()) if model in known)
        return {name}.union(*map(with_required, required))

    return {
        name: [math.fsum(known[run]["cpu_s"] for run in with_required(f"{name}-{entry['seed']}")) for entry in group]
        for name, group in grouped(entries).items()
    }


def score(entries: Sequence[Result]) -> str:
    """An experiment's primary metric over its seeds: `accuracy 99.55 ± 0.04 %`."""
    metrics = [metric for entry in entries if (metric := PrimaryMetric.of(entry["metrics"]))]
    first = metrics[0]
    return f"{first.name} {spread([metric.value for metric in metrics], first.digits)}{first.unit}"


def seeds(entries: Sequence[Result]) -> str:
    """The seeds of an experiment's results: `0 to 4`, or a list if they are not consecutive."""
    numbers = sorted(entry["seed"] for entry in entries)
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def spread(values: Sequence[float], digits: int) -> str:
    """`mean ± standard deviation` (with n - 1), or a single value alone."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean
