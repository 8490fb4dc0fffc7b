"""Evaluate a stored model, draw its figures, and collect the details that the page of results shows."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.actions import requirements as requirement_actions
from pipeline.evaluation import classification
from pipeline.kinds import kind_of, load
from pipeline.runs import requirements
from pipeline.types import (
    Classifier,
    Evaluation,
    GeneratedImages,
    Judge,
    Predictions,
    Predictor,
    Split,
    TranslationDetails,
)

if TYPE_CHECKING:  # a mistyped run is answered without torch's import
    from pipeline.data.batches import BatchedData


def assess(predictor: Predictor, data: "BatchedData", split: Split, *, root: Path) -> Evaluation:
    """The evaluation of a model on a split, by the judge that its configuration requires, if it requires one."""
    import torch

    torch.set_num_threads(1)  # as in training, so that a score does not depend on how many cores a machine has
    name = requirements.judge(predictor.config)
    judge = cast(Judge, load(requirement_actions.find(name, root))) if name else None
    return kind_of(predictor.config).evaluate(predictor, data, split, judge)


def scores(evaluation: Evaluation, split: Split) -> dict[str, float]:
    """The metrics under the names of their split."""
    return {f"{split}/{name}": value for name, value in evaluation.metrics.items()}


def draw(evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split, folder: Path) -> None:
    """Draw an evaluation's figures into a folder."""
    from pipeline.report import figures

    match evaluation.details:
        case Predictions() as predictions:
            title = f"{predictor.config['name']}: {evaluation.metrics['accuracy']:.2%} on {data.data_name}, {split}"
            figures.confusion_matrix(predictions, title, folder / "confusion_matrix.png")
            _draw_samples(predictions, cast(Classifier, predictor), data, split, folder)
        case TranslationDetails(_, example, answer, weights_TS):
            figures.attention_map(weights_TS, example, answer, folder / "attention.png")
        case GeneratedImages() as drawn:
            _draw_generated(drawn, folder)


def _draw_samples(
    predictions: Predictions, classifier: Classifier, data: "BatchedData", split: Split, folder: Path
) -> None:
    from pipeline.report import figures, image_grids

    if (images := data.pictures(split)) is not None:
        figures.error_grid(images, predictions, folder / "worst_errors.png")
    if (hardest := _hardest(classifier, data, predictions, split)) is not None:
        image_grids.looked_at(*hardest, folder / "hardest.png")
    if (points := data.points(split)) is not None:
        figures.decision_map(classifier, points, folder / "decision_map.png", data.net_inputs)
    if (texts := data.raw_texts(split)) is not None:
        figures.error_texts(texts, predictions, folder / "worst_errors.md")


def _draw_generated(drawn: GeneratedImages, folder: Path) -> None:
    """What a generator drew over its epochs, beside the folder, and its walks."""
    from pipeline.report import image_grids

    kept = sorted((folder.parent / "samples").glob("epoch-*.npy"))
    shown = [kept[round(place)] for place in np.linspace(0, len(kept) - 1, min(len(kept), 8))]
    sheets = [(int(path.stem.removeprefix("epoch-")), np.load(path)) for path in shown]
    image_grids.sample_grid(sheets[-1][1], folder / "samples.png")
    image_grids.samples_over_epochs(sheets, folder / "samples_over_epochs.png")
    image_grids.latent_walk(drawn.walks_KSHW, folder / "latent_walk.png")


def details(evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split) -> dict[str, Any]:
    """What stands behind the scores, as plain data: see `report.details`."""
    from pipeline.report import details as behind

    match evaluation.details:
        case Predictions() as predictions:
            shown = _samples(predictions, cast(Classifier, predictor), data, split)
            return {**behind.confusion(predictions), **shown}
        case TranslationDetails(said, example, answer, weights_TS):
            attention = behind.attention(weights_TS, example, answer)
            return {"attention": attention, "words": behind.translation_errors(said)}
        case GeneratedImages(hundred_NCHW, _):
            return {"drawn": behind.drawn(hundred_NCHW)}
    return {}


def _samples(predictions: Predictions, classifier: Classifier, data: "BatchedData", split: Split) -> dict[str, Any]:
    """The samples of a split that its answers are shown by."""
    from pipeline.report import details as behind
    from pipeline.report import image_grids

    found: dict[str, Any] = {}
    if (hardest := _hardest(classifier, data, predictions, split)) is not None:
        image_grids.looked_at(*hardest, file := io.BytesIO())
        found["hardest"] = base64.b64encode(file.getvalue()).decode()
    if (images := data.pictures(split)) is not None:
        found["pictures"] = behind.picture_errors(predictions, images)
    if (texts := data.raw_texts(split)) is not None:
        found["texts"] = behind.text_errors(predictions, texts)
        found["explained"] = behind.explained(classifier, predictions, texts)
    return found


def _hardest(
    classifier: Classifier, data: "BatchedData", predictions: Predictions, split: Split, count: int = 4
) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
    """The photographs whose true class got the least probability: (N, H, W, 3), what the answers rest on, (N, R, R),
    and what was said of each. None if the data is not of photographs.
    """
    from pipeline.inference.attribution import region_effects

    places = classification.highest_loss(predictions, count)
    if (inputs := data.inputs(split, places.tolist())) is None:
        return None
    effects = np.stack([region_effects(classifier, one) for one in inputs])
    given, truth = predictions.y_score[places], predictions.y_true[places]
    titles = [
        f"{predictions.labels[true]}: {predictions.labels[score.argmax()]} ({score.max():.0%})"
        for true, score in zip(truth, given, strict=True)
    ]
    return inputs.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy(), effects, titles
