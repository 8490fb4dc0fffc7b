"""What stands behind a score, small enough for git: a confusion matrix, the worst errors, what an answer rests on.

Arrays and answers in, plain data out, which `evaluate --record` keeps and the report shows.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.evaluation import classification
from pipeline.inference.attribution import word_effects
from pipeline.types import Classifier, Predictions, Translations

PICTURES, TEXTS, WORDS = 16, 3, 20  # how many of the worst errors are kept
SAMPLES = {"pictures", "hardest", "texts", "explained"}  # what shows samples of a data set
TEXT_LENGTH = 700  # characters
EXPLAINED = range(20, 61)  # words in a review short enough to be looked at word by word


def confusion(predictions: Predictions) -> dict[str, Any]:
    """A record for each true and predicted class that occur together."""
    counts = classification.confusion(predictions)
    labels = predictions.labels
    return {
        "labels": list(labels),
        "confusion": [
            {"actual": labels[row], "predicted": labels[column], "count": int(counts[row, column])}
            for row, column in zip(*counts.nonzero(), strict=True)
        ],
    }


def picture_errors(predictions: Predictions, images: np.ndarray) -> list[dict[str, Any]]:
    """The most confident wrong answers; images are (N, H, W) or (N, H, W, 3) in [0, 1]."""
    worst = classification.worst_errors(predictions, PICTURES)
    return [{**_answer(predictions, index), "picture": png(images[index])} for index in worst]


def text_errors(predictions: Predictions, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The most confident wrong answers to N texts."""
    worst = classification.worst_errors(predictions, TEXTS).tolist()
    return [{**_answer(predictions, index), "text": shortened(texts[index])} for index in worst]


def explained(predictor: Classifier, predictions: Predictions, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The first short text of each class, the same for every model, word by word."""
    found = []
    for label, name in enumerate(predictions.labels):
        own = (texts[index] for index in np.flatnonzero(predictions.y_true == label).tolist())
        text = next((text.replace("<br />", " ") for text in own if len(text.split()) in EXPLAINED), None)
        if text is not None:
            answer, probability, words = word_effects(predictor, text)
            rounded = [[word, round(effect, 3)] for word, effect in words]
            found.append(
                {
                    "true": name,
                    "answer": predictions.labels[answer],
                    "probability": round(probability, 4),
                    "words": rounded,
                }
            )
    return found


def translation_errors(said: Translations) -> list[dict[str, str]]:
    """The first wrong answers of a translator."""
    triples = zip(said.sources, said.references, said.predictions, strict=True)
    wrong = [{"source": s, "true": t, "answer": a} for s, t, a in triples if t != a]
    return wrong[:WORDS]


def attention(weights_TS: np.ndarray, source: str, answer: str) -> dict[str, Any]:
    """How much a translator looked at each letter of the source, and its end, for each letter of its answer."""
    rows = zip([*answer, "end"], weights_TS.round(3).tolist(), strict=False)
    return {"source": [*source, "end"][: weights_TS.shape[1]], "rows": [list(row) for row in rows]}


def drawn(images_NCHW: np.ndarray) -> str:
    """A hundred drawn images, ten a row, as base64 of a PNG."""
    return base64.b64encode(sheet(list(images_NCHW[:, 0].reshape(10, 10, *images_NCHW.shape[2:])))).decode()


def sheet(rows: Sequence[np.ndarray]) -> bytes:
    """Equally long rows of images, (N, H, W) uint8 or in [0, 1], side by side in one PNG."""
    image = np.concatenate([np.concatenate(list(_bytes(row)), axis=1) for row in rows])
    return base64.b64decode(png(image))


def png(image: np.ndarray) -> str:
    """A picture as base64 of a PNG; (H, W) or (H, W, 3), uint8 or in [0, 1]."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_bytes(image)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def shortened(text: str) -> str:
    """The beginning and the end of a long text."""
    text = " ".join(text.replace("<br />", " ").split())
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH // 2]} … {text[-TEXT_LENGTH // 2 :]}"


def _answer(predictions: Predictions, index: int) -> dict[str, Any]:
    score = predictions.y_score[index]
    true, guess = predictions.labels[predictions.y_true[index]], predictions.labels[score.argmax()]
    return {"true": true, "answer": guess, "probability": round(float(score.max()), 4)}


def _bytes(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint8 else (255 * image).round().clip(0, 255).astype(np.uint8)
