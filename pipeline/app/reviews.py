"""Reviews page: TF-IDF, RNN, GRU and LSTM classify a film review; each shows the effect of every word."""

from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:
    from pipeline.evaluation.calibration import CalibratedClassifier
    from pipeline.inference.predictor import ReadsTexts

MODELS = {"imdb_tfidf": "TF-IDF", "imdb_rnn": "RNN", "imdb_gru": "GRU", "imdb_lstm": "LSTM"}
EXPLAINED = 120  # words whose effects are computed; each costs two more texts a model
CHARACTERS = 20_000
router = APIRouter(prefix="/reviews")


class Review(BaseModel):
    """The text in the page's text field."""

    text: Annotated[str, Field(max_length=CHARACTERS)]


@router.post("/predict")
def predict(review: Review, request: Request) -> dict[str, object]:
    """The text's words; of each model the score of the whole text, and the effect of each of the first words.

    `score` is the probability of a positive review, `prefix_scores` the same after each of the first words, and
    `effects` the log-odds lost without the word, in the text of the first words. A model that has no word of the text
    in its vocabulary has `unknown` instead: its score would not depend on the text.
    """
    from pipeline.data.texts.vocabulary import tokenize

    tokens = tokenize(review.text)
    models: list[dict[str, object]] = []
    for experiment, title in MODELS.items():
        model = stored.find_model(request.app.state.root, experiment)
        if model is None:
            models.append({"title": title, **stored.untrained(experiment)})
        elif tokens:
            facts = {"title": title, "experiment": experiment, "source": model.source}
            models.append({**facts, **_explain(cast("CalibratedClassifier", model.predictor), review.text, tokens)})
    return {"words": tokens[:EXPLAINED], "count": len(tokens), "models": models}


def _explain(predictor: "CalibratedClassifier", text: str, tokens: list[str]) -> dict[str, object]:
    from pipeline.inference import attribution

    if cast("ReadsTexts", predictor).unfamiliar([text])[0]:
        return {"unknown": True}
    prefix_scores, effects = attribution.word_occlusion(predictor, tokens[:EXPLAINED])
    positive = np.append(prefix_scores.astype(np.float64), predictor.text_probabilities([text])[0, -1])
    if predictor.calibration:
        positive = predictor.calibration.scores(np.stack([1 - positive, positive], axis=1))[:, 1]
    *prefixes, score = np.round(positive, 4).tolist()
    return {
        "score": score,
        "prefix_scores": prefixes,
        "effects": np.round(effects, 3).tolist(),
    }


PAGE = Page("reviews", "Reviews", "Type a review: four models read it word by word.", router)
