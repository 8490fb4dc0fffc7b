"""What trained models are asked for: a score on a split, an answer for a file."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.actions import assess, runs
from pipeline.config import build_data
from pipeline.data.vocabulary import FILE
from pipeline.ensemble import load
from pipeline.errors import DataError
from pipeline.types import Split


def evaluate(run: str, split: Split, *, root: Path, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Score a stored model on a split of the data it was trained on; what stands behind the score goes into `details`.

    Returns: run, split, metrics, dataset, and the digests that a re-run must repeat.
    Raises: DataError if the data at hand is not the data it was trained on.
    """
    predictor = load(runs.model_dir(run, root))
    data = build_data(predictor.config, root / "data")
    dataset, promised = data.describe(), predictor.manifest["data_digest"]
    if dataset.digest != promised:
        raise DataError(
            f"{dataset.name}: this model saw data {promised[:12]}…, here is {dataset.digest[:12]}…. Pull that data."
        )
    return {
        "experiment": predictor.config["name"],
        "seed": predictor.config["seed"],
        "metrics": assess.assess(predictor, data, split, root=root, details=details),
        "dataset": asdict(dataset),
        "config_digest": predictor.manifest["config_digest"],
        **({"vocabulary_digest": predictor.manifest["files"][FILE]} if FILE in predictor.manifest["files"] else {}),
        "weights_digest": checkpoint.weights_digest(predictor.manifest),
    }


def predict(run: str, inputs: Sequence[str], *, root: Path) -> list[dict[str, Any]]:
    """What a model makes of each input: the class and its probability, or the translation.

    An input is a PNG or idx file for a net that sees, a text or a file that holds one for a net that reads.
    """
    predictor = load(runs.model_dir(run, root))
    if assess.kind(predictor) == "Translation":
        from pipeline.data.piglatin import translate
        from pipeline.predict import answers as words

        return [{"input": given, "label": translate(_text(given), partial(words, predictor.net))} for given in inputs]
    if assess.kind(predictor) == "GAN":
        raise DataError(f"{run}: a generator takes no input; what it draws is in its run's figures/.")
    shape = predictor.config["data"].get("in_shape")
    answers = []
    for given in inputs:
        scores = _see(predictor, Path(given), root) if shape else predictor.texts([_text(given)]).tolist()
        for index, score in enumerate(scores):
            best = max(range(len(score)), key=score.__getitem__)
            name = f"{given}[{index}]" if len(scores) > 1 else given
            answers.append({"input": name, "label": predictor.labels[best], "probability": score[best]})
    return answers


def _see(predictor: Any, file: Path, root: Path) -> list[list[float]]:
    import torch

    from pipeline.data.raw import read_images

    data = build_data(predictor.config, root / "data")
    if hasattr(data, "read"):
        images = data.read(file)
    else:
        images = torch.from_numpy(read_images(file, *data.in_shape[1:])).unsqueeze(1).float().div(255)
    scores: list[list[float]] = torch.cat([predictor.probabilities(chunk) for chunk in images.split(1000)]).tolist()
    return scores


def _text(given: str) -> str:
    """A text, or what stands in the file of that name."""
    try:
        return Path(given).read_text(encoding="utf-8") if len(given) < 256 and Path(given).is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{given}: expected a text in UTF-8, got {type(error).__name__} ({error}).") from error
