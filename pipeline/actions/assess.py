"""What a stored model is worth on a split, and how it looks: one function a kind of task."""

import base64
import hashlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import evaluate
from pipeline.actions import required
from pipeline.ensemble import load
from pipeline.errors import ConfigError
from pipeline.types import Split

EXAMPLE = "string"  # the word whose translation is looked into
Details = dict[str, Any] | None
Samples = dict[str, str] | None
DRAWN = 10_000  # images that a generator is judged by


def kind(predictor: Any) -> str:
    """The name of the task that a stored model was trained by."""
    return str(predictor.config["model"].get("_target_", "")).rpartition(".")[2]


def assess(
    predictor: Any,
    data: Any,
    split: Split,
    *,
    root: Path,
    figures: Path | None = None,
    details: dict[str, Any] | None = None,
    samples: dict[str, str] | None = None,
) -> dict[str, float]:
    """The scores of a split; with a folder for `figures`, its pictures too.

    What stands behind the scores goes into `details`, where there is one: see `report.details`. Into `samples` go which
    samples were answered `right`, a digit 1 or 0 each, and the SHA-256 of the true answers; nothing, for a generator.
    """
    import torch

    torch.set_num_threads(1)  # as in training, so that a score does not depend on how many cores a machine has
    if kind(predictor) == "GAN":
        if (name := required.judge(predictor.config)) is None:
            raise ConfigError(
                "requires.judge: a generator needs a classifier as its judge. Set +requires.judge=mnist_cnn-0."
            )
        judge = load(required.find(name, root))
        scores = _generator(predictor, judge, data, split, figures, details)
    elif kind(predictor) == "LanguageModelling":
        scores = {"loss": (nats := predictor.nats(data, split)), "perplexity": math.exp(nats)}
    else:
        score = _translator if kind(predictor) == "Translation" else _classifier
        scores = score(predictor, data, split, figures, details, samples)
    return {f"{split}/{name}": value for name, value in scores.items()}


def _classifier(
    predictor: Any, data: Any, split: Split, figures: Path | None, details: Details, samples: Samples
) -> dict[str, float]:
    predictions = predictor.predict(data, split)
    if samples is not None:
        samples |= _each(predictions.y_true.tolist(), predictions.y_score.argmax(axis=1).tolist())
    scores = evaluate.metrics(predictions)
    if split == "test" and hasattr(data, "seen_in_train"):
        unseen = predictions.of(~data.seen_in_train("test"))
        if len(unseen.y_true):
            scores["accuracy_unseen"] = evaluate.metrics(unseen)["accuracy"]
    if figures or details is not None:
        from pipeline import pictures
    if figures:
        from pipeline import report

        title = f"{predictor.config['name']}: {scores['accuracy']:.2%} on {data.data_name}, {split}"
        report.confusion_matrix(predictions, title, figures / "confusion_matrix.png")
        if hasattr(data, "pictures"):
            report.error_grid(data.pictures(split), predictions, figures / "worst_errors.png")
        if hasattr(data, "inputs"):
            pictures.looked_at(*hardest(predictor, data, predictions, split), figures / "hardest.png")
        if hasattr(data, "points"):
            report.decision_map(predictor.net, data.points(split), figures / "decision_map.png")
        if hasattr(data, "texts"):
            report.error_texts(data.texts[split], predictions, figures / "worst_errors.md")
    if details is not None:
        from pipeline.report import details as behind

        details |= behind.confusion(predictions)
        if hasattr(data, "inputs"):
            pictures.looked_at(*hardest(predictor, data, predictions, split), file := io.BytesIO())
            details["hardest"] = base64.b64encode(file.getvalue()).decode()
        if hasattr(data, "pictures"):
            details["pictures"] = behind.picture_errors(predictions, data.pictures(split))
        if hasattr(data, "texts"):
            details["texts"] = behind.text_errors(predictions, data.texts[split])
            details["explained"] = behind.explained(predictor, predictions, data.texts[split])
    return scores


def hardest(predictor: Any, data: Any, predictions: Any, split: Split, count: int = 4) -> tuple[Any, Any, list[str]]:
    """The pictures whose true class got the least probability: (N, H, W, 3), what the answers rest on, (N, R, R), and
    what was said of each.
    """
    from pipeline.attribution import region_effects

    places = evaluate.hardest(predictions, count)
    inputs = data.inputs(split, places)
    effects = np.stack([region_effects(predictor, one) for one in inputs])
    scores, truth = predictions.y_score[places], predictions.y_true[places]
    titles = [
        f"{predictions.labels[true]}: {predictions.labels[score.argmax()]} ({score.max():.0%})"
        for true, score in zip(truth, scores, strict=True)
    ]
    return inputs.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy(), effects, titles


def _each(truth: Sequence[Any], answers: Sequence[Any]) -> dict[str, str]:
    right = "".join("01"[true == answer] for true, answer in zip(truth, answers, strict=True))
    return {"right": right, "truth_digest": hashlib.sha256(repr(list(truth)).encode()).hexdigest()}


def _translator(
    predictor: Any, data: Any, split: Split, figures: Path | None, details: Details, samples: Samples
) -> dict[str, float]:
    from pipeline import predict, translation

    data.setup()
    said = predict.translations(predictor.net, data.words[split])
    if samples is not None:
        samples |= _each(said.truth, said.answers)
    kinds = {f"exact_match_{name}": right / of for name, (right, of) in translation.by_kind(said).items()}
    answer, weights_TS = predict.attention(predictor.net, EXAMPLE)
    if figures:
        from pipeline import report

        report.attention_map(weights_TS, EXAMPLE, answer, figures / "attention.png")
    if details is not None:
        from pipeline.report import details as behind

        details["attention"] = behind.attention(weights_TS, EXAMPLE, answer)
        details["words"] = behind.translation_errors(said)
    return {**translation.metrics(said), **kinds}


def _generator(
    predictor: Any, judge: Any, data: Any, split: Split, figures: Path | None, details: Details
) -> dict[str, float]:
    import torch

    from pipeline import generation, pupil

    def real(split: Split) -> Any:
        images, labels = zip(*data.batches(split), strict=True)
        return judge.judge(torch.cat(images), torch.cat(labels))

    labels_N = torch.arange(DRAWN) % predictor.net.classes
    asked_for = labels_N if predictor.net.conditional else None
    scores = generation.measure(judge.judge(predictor.generate(labels_N), asked_for), real(split), real("train"))
    if predictor.net.conditional:
        taught_N = torch.arange(len(data.splits["train"][1])) % predictor.net.classes
        drawn_NCHW = predictor.generate(taught_N, seed=1)  # not those that were judged
        scores["classification_accuracy_score"] = pupil.classification_accuracy_score(
            judge.config, drawn_NCHW, taught_N, data.batches(split)
        )
    if figures:
        from pipeline import pictures

        kept = sorted((figures.parent / "samples").glob("epoch-*.npy"))
        shown = [kept[round(place)] for place in np.linspace(0, len(kept) - 1, min(len(kept), 8))]
        sheets = [(int(path.stem.removeprefix("epoch-")), np.load(path)) for path in shown]
        pictures.sample_grid(sheets[-1][1], figures / "samples.png")
        pictures.samples_over_epochs(sheets, figures / "samples_over_epochs.png")
        pictures.latent_walk(predictor, figures / "latent_walk.png")
    if details is not None:
        from pipeline.report import details as behind

        details["drawn"] = behind.drawn(predictor.generate(torch.arange(100) // 10 % predictor.net.classes).numpy())
    return scores
