"""Type a film review: TF-IDF, RNN, GRU and LSTM side by side, word by word."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

MODELS = {"imdb_tfidf": "TF-IDF", "imdb_rnn": "RNN", "imdb_gru": "GRU", "imdb_lstm": "LSTM"}
WORDS = 120
router = APIRouter(prefix="/reviews")


class Review(BaseModel):
    """A text, as it is typed."""

    text: str = Field(max_length=5000)


@router.post("/answer")
def answer(review: Review, request: Request) -> dict[str, Any]:
    """The words as the models read them; of each model the score after each word, and what each word adds."""
    from pipeline.data.texts.vocabulary import tokenize
    from pipeline.inference import attribution

    tokens = tokenize(review.text)
    told: dict[str, Any] = {"words": tokens[:WORDS], "cut": max(0, len(tokens) - WORDS), "models": []}
    for experiment, title in MODELS.items():
        found = stored.model(request.app.state.root, experiment)
        if found is None:
            told["models"].append({"title": title, **stored.missing(experiment)})
        elif tokens:
            after, adds = attribution.word_occlusion(found.predictor, tokens[:WORDS])
            shown = {"title": title, "experiment": experiment, "source": found.source}
            told["models"].append({**shown, "after": np.round(after, 4).tolist(), "adds": np.round(adds, 3).tolist()})
    return told


PAGE = Page("reviews", "Reviews", "Type a review: four models read it word by word.", router)
