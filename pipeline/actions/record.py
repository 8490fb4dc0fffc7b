"""Record results: a run's outputs for DVC (models/, evaluations/) and an experiment's file for git (results/).

`train --record` writes models/EXPERIMENT-SEED, `evaluate --record` writes evaluations/EXPERIMENT/SEED, and `collect`
gathers an experiment's evaluations in results/EXPERIMENT.json. Samples of the data are not written to results/: no part
of a data set is in git.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.config import check_name
from pipeline.errors import CheckpointError, ConfigError, DataError
from pipeline.files import atomic_folder, atomic_write, sha256
from pipeline.runs import checkpoints, events, fingerprint, lookup, records, requirements, results, trail
from pipeline.runs.records import RunRecord

if TYPE_CHECKING:
    from torch import Tensor

SAMPLED_EPOCHS = 8  # of a generator, evenly spaced
HISTORY, SAMPLES = (
    "history.json",
    "samples.png",
)  # in a model folder: curves and images over the epochs
RESULT, DETAILS, ERRORS = "result.json", "details.json", "errors.json"  # in an evaluation folder
PREDICTIONS = "predictions.safetensors"  # there as well: class probabilities of each validation and test sample
MEASURED = (
    "metrics",
    "right",
    "truth_digest",
    "predictions_digest",
    "robustness",
)  # what a new evaluation can add to a result
# Keys of a run record that a result keeps: provenance, environment and cost.
FACTS = (
    *("name", "commit", "dirty", "command", "lock_digest", "hardware", "environment"),
    *("cpu_s", "wall_s", "seconds", "steps", "workers"),
)


def model(summary: RunRecord, root: Path, name: str | None = None) -> Path:
    """Copy a finished run's model to `models/EXPERIMENT-SEED` (or `models/NAME`), with its learning curves."""
    run_dir = Path(summary["run_dir"])
    record = records.read(run_dir)
    target = root / "models" / (name or f"{record['experiment']}-{record['seed']}")

    extra = {HISTORY: f"{json.dumps(history(run_dir, summary['metrics']))}\n".encode()}
    if sheet := samples_over_epochs(run_dir):
        extra[SAMPLES] = sheet
    return checkpoints.copy(run_dir / "model", target, extra)


def history(run_dir: Path, scores: dict[str, float]) -> list[dict[str, float]]:
    """A run's metrics, a row for each epoch; a single row, without test metrics, if it was not trained by epochs."""
    rows: dict[int, dict[str, float]] = {}
    for event in events.read(run_dir)[0]:
        if metrics := event.get("metrics"):
            row = rows.setdefault(event["epoch"] + 1, {"epoch": event["epoch"] + 1})
            row |= {name: round(value, 5) for name, value in metrics.items()}
    once = {name: round(value, 5) for name, value in scores.items() if not name.startswith("test/")}
    return [rows[epoch] for epoch in sorted(rows)] or [{"epoch": 0, **once}]


def samples_over_epochs(run_dir: Path) -> bytes | None:
    """A PNG with a row of generated images for each of up to 8 epochs; None if the run generated none."""
    sheets = sorted((run_dir / "samples").glob("epoch-*.npy"))
    if not sheets:
        return None
    import numpy as np

    from pipeline.report.details import sheet

    chosen = dict.fromkeys(round(index) for index in np.linspace(0, len(sheets) - 1, SAMPLED_EPOCHS))
    images = [np.load(sheets[index]) for index in chosen]
    return sheet([each[:: max(1, len(each) // 10)][:10] for each in images])


def check(name: str | None, root: Path) -> None:
    """Raise a ConfigError for a name to record as that is no name, or that of an experiment."""
    if name is None:
        return
    check_name("--record-as", name)
    if (root / "evaluations" / name).is_dir() and not (root / "evaluations" / name / RESULT).is_file():
        raise ConfigError(f"--record-as {name}: evaluations/{name} holds those of an experiment. Choose another name.")


def evaluation(
    result: results.Result,
    details: dict[str, Any],
    predictions: "dict[str, Tensor]",
    model_dir: Path,
    root: Path,
    name: str | None,
) -> Path:
    """Write an evaluation to `evaluations/EXPERIMENT/SEED` (or `evaluations/NAME`), replacing an older one.

    `predictions` are tensors by name (see `assess.stored_predictions`); empty for models that predict no classes.
    """
    from pipeline.report.details import SAMPLES as DATA_SAMPLES

    folder = root / "evaluations" / (name or f"{result['experiment']}/{result['seed']}")

    def write(aside: Path) -> None:
        for file in (HISTORY, SAMPLES, trail.FILE):
            if (model_dir / file).is_file():
                (aside / file).write_bytes((model_dir / file).read_bytes())
        _write(aside / DETAILS, {key: value for key, value in details.items() if key not in DATA_SAMPLES})
        _write(aside / ERRORS, {key: value for key, value in details.items() if key in DATA_SAMPLES})
        recorded = {key: value for key, value in result.items() if key != "samples"}
        if samples := result["samples"]:
            recorded |= {"right": results.pack(samples["right"]), "truth_digest": samples["truth_digest"]}
        if predictions:
            checkpoints.save_tensors(predictions, aside / PREDICTIONS)
            recorded["predictions_digest"] = sha256(aside / PREDICTIONS)
        _write(aside / RESULT, recorded)

    return atomic_folder(folder, write)


def collect(experiment: str, root: Path) -> Path:
    """Rebuild results/EXPERIMENT.json from the evaluations.

    A run with the committed weights and metrics keeps its committed provenance, cost and trail; metrics that
    the committed result lacks are added. A seed that is not evaluated here keeps its committed result: seeds may be
    recorded on several machines, one after the other.

    Raises: DataError if there is no evaluation, or the training of one is not known: its result could not be checked.
    """
    path = results.path_of(experiment, root)
    folders = sorted((root / "evaluations" / experiment).glob(f"*/{RESULT}"), key=lambda file: int(file.parent.name))
    if not folders:
        raise DataError(f"{root / 'evaluations' / experiment}: no evaluations. Run `dvc repro collect@{experiment}`.")
    committed = results.read(path)
    known = {run["seed"]: run for run in committed["runs"]}
    found = [_run(file.parent, known, root) for file in folders]
    if unknown := [f"{experiment}-{run['seed']}" for run in found if run.get("cpu_s") is None]:
        raise DataError(
            f"{', '.join(unknown)}: the training is not in runs/, so commit, processor and cost are not known. Train "
            f"here: `dvc repro --force --single-item train@{unknown[0]}`."
        )
    here = {run["seed"] for run in found}
    elsewhere = [run for run in committed["runs"] if run["seed"] not in here]
    first = min(here | known.keys())  # the seed whose details the report shows
    details = (first in here and _details(folders[0].parent)) or committed.get("details")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, results.as_text(results.content_of(experiment, [*found, *elsewhere], details)))
    return path


def evaluated(folder: Path, root: Path) -> results.Result:
    """The result of an evaluation, with its trail, and provenance and cost if its run is here."""
    result, trained = json.loads((folder / RESULT).read_text()), trail.read(folder)
    rows = json.loads((folder / HISTORY).read_text()) if (folder / HISTORY).is_file() else []
    steps: results.Result = {"trail": trail.columns(trail.shortened(trained))} if trained else {}
    return {**result, **_facts(result, root), **steps, "history": results.columns(rows)}


def _run(folder: Path, known: dict[int, results.Result], root: Path) -> results.Result:
    result = evaluated(folder, root)
    before = known.get(result["seed"])
    if before is None or before.get("cpu_s") is None or not results.agree(before, result):
        return result
    # Results that were committed before there were trails take the record of the run that has one.
    if "trail" in result and "trail" not in before and result["name"]:
        return result
    measured = cast(results.Result, {key: value for key, value in result.items() if key in MEASURED})
    return {"experiment": result["experiment"], **before, **measured}


def _facts(result: results.Result, root: Path) -> results.Result:
    """Provenance and cost of the run that made these weights; None for each fact if its folder is not in runs/."""
    for record in lookup.listing(root):
        if (record.get("experiment"), record.get("seed")) != (result["experiment"], result["seed"]):
            continue
        run_dir = Path(record["run_dir"])
        try:
            manifest = checkpoints.verify(run_dir / "model")
        except CheckpointError:
            continue
        if checkpoints.weights_digest(manifest) == result["weights_digest"]:
            facts = {key: record.get(key) for key in FACTS}
            code, built_on = fingerprint.code_of(record), requirements.built_on(records.config(run_dir))
            return cast(results.Result, {**facts, "code_digest": code, "built_on": built_on})
    return cast(results.Result, {**dict.fromkeys((*FACTS, "code_digest")), "built_on": []})


def _details(folder: Path) -> dict[str, Any]:
    """The details of an experiment's first seed, without samples of the data."""
    import base64

    details: dict[str, Any] = json.loads((folder / DETAILS).read_text())
    if (folder / SAMPLES).is_file():
        details["samples"] = base64.b64encode((folder / SAMPLES).read_bytes()).decode()
    return details


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
