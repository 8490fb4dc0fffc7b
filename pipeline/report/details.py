"""Details behind a result in JSON types: confusion matrix, worst errors, attention, word effects.

`evaluate --record` stores them and the results page shows them.
"""

import base64
import io
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from pipeline.evaluation import classification
from pipeline.evaluation.calibration import reliability as bins
from pipeline.inference.attribution import word_effects
from pipeline.types import Classifier, Predictions, Translations

PICTURES, TEXTS, WORDS = 16, 3, 20  # how many of the worst errors are recorded
SAMPLES = {"pictures", "hardest", "texts", "explained"}  # keys whose values show samples of a data set: not in git
TEXT_LENGTH = 700  # characters
EXPLAINED_WORDS = range(20, 61)  # length of a text whose word effects are shown


class Cell(TypedDict):
    """A cell of a confusion matrix."""

    actual: str
    predicted: str
    count: int


class Confusion(TypedDict):
    """A confusion matrix, without the cells that are zero."""

    labels: list[str]
    confusion: list[Cell]


class WrongPrediction(TypedDict, total=False):
    """A wrong prediction and its sample."""

    true: str
    answer: str
    probability: float
    picture: str  # a PNG in base64
    text: str


class Explanation(TypedDict):
    """A prediction for a text with the effect of each word."""

    true: str
    answer: str
    probability: float
    words: list[list[str | float]]  # word, effect


def confusion(predictions: Predictions) -> Confusion:
    """The non-zero cells of the confusion matrix, one record for each."""
    counts = classification.confusion(predictions)
    labels = predictions.labels
    return {
        "labels": list(labels),
        "confusion": [
            {"actual": labels[row], "predicted": labels[column], "count": int(counts[row, column])}
            for row, column in zip(*counts.nonzero(), strict=True)
        ],
    }


def reliability(uncalibrated: Predictions, calibrated: Predictions) -> dict[str, object]:
    """The bins of the reliability diagram before and after calibration: samples, confidence and accuracy of each."""
    both = {"uncalibrated": uncalibrated, "calibrated": calibrated}
    return {
        "reliability": {
            name: [
                [count, round(confidence, 4), round(accuracy, 4)] for count, confidence, accuracy in bins(predictions)
            ]
            for name, predictions in both.items()
        }
    }


def picture_errors(predictions: Predictions, images: np.ndarray) -> list[WrongPrediction]:
    """The most confident wrong predictions with their images, (N, H, W) or (N, H, W, 3) in [0, 1]."""
    worst = classification.worst_errors(predictions, PICTURES)
    return [{**_prediction(predictions, index), "picture": png(images[index])} for index in worst]


def text_errors(predictions: Predictions, texts: Sequence[str]) -> list[WrongPrediction]:
    """The most confident wrong predictions with their texts."""
    worst = classification.worst_errors(predictions, TEXTS).tolist()
    return [{**_prediction(predictions, index), "text": shortened(texts[index])} for index in worst]


def explained(predictor: Classifier, predictions: Predictions, texts: Sequence[str]) -> list[Explanation]:
    """The word effects of the first short text of each class; the text is the same for every model."""
    explanations: list[Explanation] = []
    for label, name in enumerate(predictions.labels):
        own = (texts[index] for index in np.flatnonzero(predictions.y_true == label).tolist())
        text = next((text.replace("<br />", " ") for text in own if len(text.split()) in EXPLAINED_WORDS), None)
        if text is not None:
            predicted, probability, words = word_effects(predictor, text)
            rounded: list[list[str | float]] = [[word, round(effect, 3)] for word, effect in words]
            explanations.append(
                {
                    "true": name,
                    "answer": predictions.labels[predicted],
                    "probability": round(probability, 4),
                    "words": rounded,
                }
            )
    return explanations


def translation_errors(translations: Translations) -> list[dict[str, str]]:
    """The first wrong translations."""
    triples = zip(translations.sources, translations.references, translations.predictions, strict=True)
    wrong = [
        {"source": source, "true": reference, "answer": prediction}
        for source, reference, prediction in triples
        if prediction != reference
    ]
    return wrong[:WORDS]


def attention(weights_TS: np.ndarray, source: str, prediction: str) -> dict[str, object]:
    """The attention weights of each predicted letter, and of the end, to the source letters and their end."""
    rows = zip([*prediction, "end"], weights_TS.round(3).tolist(), strict=False)
    return {"source": [*source, "end"][: weights_TS.shape[1]], "rows": [list(row) for row in rows]}


def generated(images_NCHW: np.ndarray) -> str:
    """A hundred generated images, ten in a row, as a PNG in base64."""
    return base64.b64encode(sheet(list(images_NCHW[:, 0].reshape(10, 10, *images_NCHW.shape[2:])))).decode()


def sheet(rows: Sequence[np.ndarray]) -> bytes:
    """A PNG of rows of images; each row is (N, H, W), uint8 or in [0, 1], with the same N."""
    image = np.concatenate([np.concatenate(list(_bytes(row)), axis=1) for row in rows])
    return base64.b64decode(png(image))


def png(image: np.ndarray) -> str:
    """A PNG in base64 of an image, (H, W) or (H, W, 3), uint8 or in [0, 1]."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_bytes(image)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def shortened(text: str) -> str:
    """The text, or the beginning and end of a long one."""
    text = " ".join(text.replace("<br />", " ").split())
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH // 2]} … {text[-TEXT_LENGTH // 2 :]}"


def _prediction(predictions: Predictions, index: int) -> WrongPrediction:
    score = predictions.y_score[index]
    true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
    return {"true": true, "answer": guess, "probability": round(float(score.max()), 4)}


def _bytes(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint8 else (255 * image).round().clip(0, 255).astype(np.uint8)
