"""Evaluate a stored model on a split of its data."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.actions import assess
from pipeline.config import build_data, digest, load_config, resolve
from pipeline.data.texts.vocabulary import FILE
from pipeline.errors import ConfigError, DataError
from pipeline.kinds import load, read_config
from pipeline.launch import bits
from pipeline.runs import checkpoints, lookup, results
from pipeline.types import Predictor, Split

if TYPE_CHECKING:  # a mistyped run is reported without importing torch
    from torch import Tensor

    from pipeline.data.batches import BatchedData


def evaluate(
    run: str,
    split: Split,
    *,
    root: Path,
    details: dict[str, Any] | None = None,
    predictions: "dict[str, Tensor] | None" = None,
) -> results.Result:
    """Evaluate a stored model on a split of the data it was trained on.

    The data behind the figures is added to `details` (see `assess.details`), the class probabilities to `predictions`
    (see `assess.stored_predictions`). With `details` also the accuracy under shifts is measured.

    Returns: experiment, seed, metrics, dataset, the digests that a repetition must reproduce, the correctness of
    each sample (`Evaluation.samples`), and the accuracy under shifts.
    Raises: DataError if the data in data/ is not the data that the model was trained on.
    """
    model_dir = lookup.model_dir(run, root)  # a wrong name is an error before torch is imported
    bits.choose(read_config(model_dir).get("cluster", {}))
    from pipeline.inference.foreign import letters_metrics

    predictor = load(model_dir)
    data: BatchedData = build_data(predictor.config, root / "data")
    dataset, trained_on = data.describe(), predictor.manifest["data_digest"]
    if dataset.digest != trained_on:
        raise DataError(
            f"{dataset.name}: the model was trained on data {trained_on[:12]}…, found {dataset.digest[:12]}…. Restore "
            "that data, or train again."
        )
    evaluation = assess.assess(predictor, data, split, root=root)
    metrics = {**evaluation.metrics, **letters_metrics(predictor, data, split)}
    evaluation = replace(evaluation, metrics=metrics)
    if details is not None:
        details |= assess.details(evaluation, predictor, data, split)
    if predictions is not None:
        predictions |= assess.stored_predictions(evaluation, predictor, data, split)
    result: results.Result = {
        "experiment": predictor.config["name"],
        "seed": predictor.config["seed"],
        "metrics": assess.named_metrics(evaluation, split),
        "dataset": dataset.facts(),
        "config_digest": config_digest(predictor, root),
    }
    if FILE in predictor.manifest["files"]:
        result["vocabulary_digest"] = predictor.manifest["files"][FILE]
    result["weights_digest"] = checkpoints.weights_digest(predictor.manifest)
    result["samples"] = evaluation.samples
    if details is not None and (curves := assess.robustness(evaluation, predictor, data, split)):
        result["robustness"] = curves
    return result


def config_digest(predictor: Predictor, root: Path) -> str:
    """The digest of a model's configuration under today's key names.

    It is today's digest of the experiment if the committed result of that configuration has the model's weights: a
    folder stored before a key was renamed has the former digest in its manifest. Otherwise it is the manifest's.
    """
    name, seed, stored = predictor.config["name"], predictor.config["seed"], predictor.manifest["config_digest"]
    try:
        today = digest(resolve(load_config(f"experiment={name}", f"seed={seed}", root=root)))
    except ConfigError:  # a configuration of its own, or an experiment that is no longer there
        return str(stored)
    committed = results.find(f"{name}-{seed}", root) or results.Result()
    weights = checkpoints.weights_digest(predictor.manifest)
    unchanged = (committed.get("config_digest"), committed.get("weights_digest")) == (today, weights)
    return today if unchanged else str(stored)
