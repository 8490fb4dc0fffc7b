"""What a trained model is worth: its score on a split of its data."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.actions import assess
from pipeline.config import build_data
from pipeline.data.texts.vocabulary import FILE
from pipeline.errors import DataError
from pipeline.kinds import load
from pipeline.runs import checkpoints, lookup
from pipeline.types import Split

if TYPE_CHECKING:  # a mistyped run is answered without torch's import
    from pipeline.data.batches import BatchedData


def evaluate(
    run: str,
    split: Split,
    *,
    root: Path,
    details: dict[str, Any] | None = None,
    samples: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Score a stored model on a split of the data it was trained on.

    What stands behind the score goes into `details`, which samples were answered rightly into `samples`: see
    `assess.details` and `Evaluation`.

    Returns: run, split, metrics, dataset, and the digests that a re-run must repeat.
    Raises: DataError if the data at hand is not the data it was trained on.
    """
    predictor = load(lookup.model_dir(run, root))
    data: BatchedData = build_data(predictor.config, root / "data")
    dataset, promised = data.describe(), predictor.manifest["data_digest"]
    if dataset.digest != promised:
        raise DataError(
            f"{dataset.name}: this model saw data {promised[:12]}…, here is {dataset.digest[:12]}…. Pull that data."
        )
    evaluation = assess.assess(predictor, data, split, root=root)
    if details is not None:
        details |= assess.details(evaluation, predictor, data, split)
    if samples is not None:
        samples |= evaluation.samples
    return {
        "experiment": predictor.config["name"],
        "seed": predictor.config["seed"],
        "metrics": assess.scores(evaluation, split),
        "dataset": asdict(dataset),
        "config_digest": predictor.manifest["config_digest"],
        **({"vocabulary_digest": predictor.manifest["files"][FILE]} if FILE in predictor.manifest["files"] else {}),
        "weights_digest": checkpoints.weights_digest(predictor.manifest),
    }
