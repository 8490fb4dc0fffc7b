"""Evaluate a stored model, draw its figures, and collect the details that the results page shows."""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.actions.requirements import find
from pipeline.config import METRICS, Config, build
from pipeline.errors import ConfigError
from pipeline.evaluation import classification
from pipeline.evaluation.calibration import CalibratedClassifier
from pipeline.kinds import kind_of, load
from pipeline.plugins import Metric, place_of
from pipeline.runs import requirements
from pipeline.types import (
    Classifier,
    Evaluation,
    GeneratedImages,
    Judge,
    Predictions,
    Predictor,
    RawInput,
    Split,
    TranslationDetails,
)

if TYPE_CHECKING:  # a mistyped run is reported without importing torch
    from torch import Tensor

    from pipeline.data.batches import BatchedData
    from pipeline.runs.results import Curve


def assess(predictor: Predictor, data: "BatchedData", split: Split, *, root: Path) -> Evaluation:
    """Evaluate a model on a split, with the judge that its configuration requires, if any."""
    import torch

    torch.set_num_threads(1)  # as in training: metrics must not depend on the number of cores
    name = requirements.judge(predictor.config)
    judge = cast(Judge, load(find(name, root))) if name else None
    evaluation = kind_of(predictor.config).evaluate(predictor, data, split, judge)
    return replace(evaluation, metrics={**evaluation.metrics, **own_metrics(predictor.config, evaluation, root)})


def own_metrics(config: Config, evaluation: Evaluation, root: Path) -> dict[str, float]:
    """The configured metrics of one's own.

    Raises: ConfigError if one can't be computed.
    """
    own: dict[str, float] = {}
    for name, node in config.get(METRICS, {}).items():
        if name in evaluation.metrics:
            raise ConfigError(f"{METRICS}.{name}: this metric is measured anyway. Choose another name.")
        if not isinstance(evaluation.details, Predictions):
            raise ConfigError(f"{METRICS}.{name}: only classifiers have metrics of one's own. Leave it out.")
        metric: Metric = build(node)
        try:
            own[name] = float(metric(evaluation.details))
        except Exception as error:
            raise ConfigError(f"{METRICS}.{name}: {place_of(error, root)}. Correct {node['_target_']}.") from error
    return own


def named_metrics(evaluation: Evaluation, split: Split) -> dict[str, float]:
    """The metrics with their split as prefix, such as test/accuracy."""
    return {f"{split}/{name}": value for name, value in evaluation.metrics.items()}


def robustness(evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split) -> "dict[str, Curve]":
    """A classifier's accuracy under shifts of images or texts; empty for models of other kinds."""
    from pipeline.evaluation import robustness as measure

    if not isinstance(evaluation.details, Predictions):
        return {}
    classifier = cast(Classifier, predictor)
    pixels = math.prod(predictor.config["data"]["in_shape"][1:]) if predictor.input_type == "images" else 1
    rows_N = measure.chosen(len(evaluation.details.y_true), pixels)
    truth_N = evaluation.details.y_true[rows_N]

    def classify(inputs: Sequence[RawInput]) -> np.ndarray:
        classes_N: np.ndarray = classifier.class_probabilities(inputs).argmax(axis=1)
        return classes_N

    if (texts := data.raw_texts(split)) is not None:
        return measure.of_texts(classify, [texts[row] for row in rows_N.tolist()], truth_N, classifier.labels)
    if predictor.input_type == "images":
        images_NCHW = _rows_of(data.batches(split), rows_N)
        return measure.of_images(lambda images: classify(list(images)), images_NCHW, truth_N, data.centred_digits)
    return {}


def _rows_of(batches: "Iterable[tuple[Tensor, Tensor]]", rows_N: np.ndarray) -> "Tensor":
    """The inputs of a split at some rows, in rising order."""
    import torch

    parts, first = [], 0
    for inputs, _ in batches:
        inside = rows_N[(first <= rows_N) & (rows_N < first + len(inputs))] - first
        parts.append(inputs[torch.from_numpy(inside)])
        first += len(inputs)
    return torch.cat(parts)


def stored_predictions(
    evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split
) -> "dict[str, Tensor]":
    """A classifier's scores before calibration, SPLIT_score (N, C), and true classes, SPLIT_truth (N,), of a split and
    of validation; empty for models of other kinds.
    """
    import torch

    tensors: dict[str, torch.Tensor] = {}
    if isinstance(evaluation.details, Predictions):
        validation = cast(Classifier, predictor).predict_split(data, "val")
        for name, predictions in ((split, evaluation.details), ("val", validation)):
            tensors[f"{name}_score"] = torch.from_numpy(predictions.y_score.astype(np.float32))
            tensors[f"{name}_truth"] = torch.from_numpy(predictions.y_true.astype(np.int16))
    return tensors


def draw(evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split, folder: Path) -> None:
    """Draw an evaluation's figures into a folder."""
    from pipeline.report import figures

    match evaluation.details:
        case Predictions() as predictions:
            classifier = cast(CalibratedClassifier, predictor)
            shown = _shown(predictions, classifier)
            title = f"{predictor.config['name']}: {evaluation.metrics['accuracy']:.2%} on {data.data_name}, {split}"
            figures.confusion_matrix(predictions, title, folder / "confusion_matrix.png")
            if classifier.calibration:
                figures.reliability_diagram(predictions, shown, folder / "reliability.png")
            _draw_samples(shown, classifier, data, split, folder)
        case TranslationDetails(_, example, prediction, weights_TS):
            figures.attention_map(weights_TS, example, prediction, folder / "attention.png")
        case GeneratedImages() as images:
            _draw_generated(images, folder)


def _shown(predictions: Predictions, classifier: CalibratedClassifier) -> Predictions:
    """The predictions with the probabilities that `pipeline predict` shows."""
    return classifier.calibration.predictions(predictions) if classifier.calibration else predictions


def _draw_samples(
    predictions: Predictions, classifier: Classifier, data: "BatchedData", split: Split, folder: Path
) -> None:
    from pipeline.report import figures, image_grids

    if (images := data.pictures(split)) is not None:
        figures.error_grid(images, predictions, folder / "worst_errors.png")
    if (explained := _explain_highest_loss(classifier, data, predictions, split)) is not None:
        image_grids.occlusion_grid(*explained, folder / "highest_loss.png")
    if (points := data.points(split)) is not None:
        figures.decision_map(classifier, points, folder / "decision_map.png", data.net_inputs)
    if (texts := data.raw_texts(split)) is not None:
        figures.error_texts(texts, predictions, folder / "worst_errors.md")


def _draw_generated(images: GeneratedImages, folder: Path) -> None:
    """Draw the samples that training stored beside the folder after each epoch, and the latent walks."""
    from pipeline.report import image_grids

    stored = sorted((folder.parent / "samples").glob("epoch-*.npy"))
    shown = [stored[round(index)] for index in np.linspace(0, len(stored) - 1, min(len(stored), 8))]
    epochs = [(int(path.stem.removeprefix("epoch-")), np.load(path)) for path in shown]
    image_grids.sample_grid(epochs[-1][1], folder / "samples.png")
    image_grids.samples_over_epochs(epochs, folder / "samples_over_epochs.png")
    image_grids.latent_walk(images.walks_KSHW, folder / "latent_walk.png")


def details(evaluation: Evaluation, predictor: Predictor, data: "BatchedData", split: Split) -> dict[str, Any]:
    """The data behind the metrics, in JSON types: see `report.details`."""
    from pipeline.report import details as collect

    match evaluation.details:
        case Predictions() as predictions:
            classifier = cast(CalibratedClassifier, predictor)
            shown = _shown(predictions, classifier)
            found = {**collect.confusion(predictions), **_samples(shown, classifier, data, split)}
            return {**found, **(collect.reliability(predictions, shown) if classifier.calibration else {})}
        case TranslationDetails(translations, example, prediction, weights_TS):
            attention = collect.attention(weights_TS, example, prediction)
            return {"attention": attention, "words": collect.translation_errors(translations)}
        case GeneratedImages(hundred_NCHW, _):
            return {"drawn": collect.generated(hundred_NCHW)}
    return {}


def _samples(predictions: Predictions, classifier: Classifier, data: "BatchedData", split: Split) -> dict[str, Any]:
    """Samples of a split with their predictions: the worst errors and explained predictions."""
    from pipeline.report import details as collect
    from pipeline.report import image_grids

    samples: dict[str, Any] = {}
    if (explained := _explain_highest_loss(classifier, data, predictions, split)) is not None:
        image_grids.occlusion_grid(*explained, file := io.BytesIO())
        samples["hardest"] = base64.b64encode(file.getvalue()).decode()
    if (images := data.pictures(split)) is not None:
        samples["pictures"] = collect.picture_errors(predictions, images)
    if (texts := data.raw_texts(split)) is not None:
        samples["texts"] = collect.text_errors(predictions, texts)
        samples["explained"] = collect.explained(classifier, predictions, texts)
    return samples


def _explain_highest_loss(
    classifier: Classifier, data: "BatchedData", predictions: Predictions, split: Split, count: int = 4
) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
    """The photographs with the highest loss, (N, H, W, 3), their region effects, (N, R, R), and a title for each.

    None if the data set has no photographs.
    """
    from pipeline.inference.attribution import region_effects

    rows = classification.highest_loss(predictions, count)
    if (inputs := data.inputs(split, rows.tolist())) is None:
        return None
    effects = np.stack([region_effects(classifier, image) for image in inputs])
    scores, truth = predictions.y_score[rows], predictions.y_true[rows]
    titles = [
        f"{predictions.labels[true]}: {predictions.labels[score.argmax()]} ({score.max():.0%})"
        for true, score in zip(truth, scores, strict=True)
    ]
    return inputs.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy(), effects, titles
