"""What trained models are asked for: a score on a split, an answer for a file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.actions import runs
from pipeline.errors import DataError
from pipeline.types import Split


def evaluate(run: str, split: Split, *, root: Path) -> dict[str, Any]:
    """Score a stored model on a split of the data it was trained on.

    Returns: run, split, metrics, dataset, and the digests that a re-run must repeat.
    Raises: DataError if the data at hand is not the data it was trained on.
    """
    folder = runs.model_dir(run, root)
    from pipeline import evaluate as scoring
    from pipeline import predict
    from pipeline.config import build_data

    predictor = predict.load(folder)
    data = build_data(predictor.config, root / "data")
    dataset, promised = data.describe(), predictor.manifest["data_digest"]
    if dataset.digest != promised:
        raise DataError(
            f"{dataset.name}: this model saw data {promised[:12]}…, here is {dataset.digest[:12]}…. Pull that data."
        )
    scores = scoring.metrics(predictor.predict(data.batches(split), data.labels))
    return {
        "experiment": predictor.config["name"],
        "seed": predictor.config["seed"],
        "metrics": {f"{split}/{name}": value for name, value in scores.items()},
        "dataset": asdict(dataset),
        "config_digest": predictor.manifest["config_digest"],
        "weights_digest": predictor.manifest["files"][checkpoint.MODEL],
    }


def predict_files(run: str, files: Sequence[Path], *, root: Path) -> list[dict[str, Any]]:
    """The class of each image in PNG or idx files, with its probability."""
    folder = runs.model_dir(run, root)
    import torch

    from pipeline import predict
    from pipeline.data.raw import read_images

    predictor = predict.load(folder)
    _, height, width = predictor.config["data"]["in_shape"]
    answers = []
    for file in files:
        images = torch.from_numpy(read_images(file, height, width)).unsqueeze(1).float().div(255)
        scores = torch.cat([predictor.probabilities(chunk) for chunk in images.split(1000)])
        for index, score in enumerate(scores.tolist()):
            best = max(range(len(score)), key=score.__getitem__)
            name = f"{file}[{index}]" if len(scores) > 1 else str(file)
            answers.append({"input": name, "label": str(best), "probability": score[best]})
    return answers
