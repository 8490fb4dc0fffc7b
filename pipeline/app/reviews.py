"""Reviews page: TF-IDF, RNN, GRU and LSTM classify a film review; each shows the effect of every word.

The page shows of RNN, GRU and LSTM the gates and states at each word.
"""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:
    from pipeline.evaluation.calibration import CalibratedClassifier
    from pipeline.inference.text_classifier import ReadsTexts, TextClassifier
    from pipeline.models.recurrent import Recurrent
    from pipeline.types import Predictor

MODELS = {"imdb_tfidf": "TF-IDF", "imdb_rnn": "RNN", "imdb_gru": "GRU", "imdb_lstm": "LSTM"}
EXPLAINED = 120  # words whose effects are computed; each costs two more texts a model
CHARACTERS = 20_000
router = APIRouter(prefix="/reviews")


class Review(BaseModel):
    """The text in the page's text field."""

    text: Annotated[str, Field(max_length=CHARACTERS)]


class ReadReview(Review):
    """A text, and the experiment whose model reads it."""

    experiment: Literal["imdb_rnn", "imdb_gru", "imdb_lstm"]


@router.post("/predict")
def predict(review: Review, request: Request) -> dict[str, object]:
    """The text's words; of each model the score of the whole text, and the effect of each of the first words.

    `score` is the probability of a positive review, `prefix_scores` the same after each of the first words, and
    `effects` the log-odds lost without the word, in the text of the first words. A model that has no word of the text
    in its vocabulary has `unknown` instead: its score would not depend on the text. `recurrent`: it has a memory.
    """
    from pipeline.data.texts.vocabulary import tokenize

    tokens = tokenize(review.text)
    models: list[dict[str, object]] = []
    for experiment, title in MODELS.items():
        model = stored.find_model(request.app.state.root, experiment)
        if model is None:
            models.append({"title": title, **stored.untrained(experiment)})
        elif tokens:
            recurrent = _recurrent(model.predictor) is not None
            facts = {"title": title, "experiment": experiment, "source": model.source, "recurrent": recurrent}
            models.append({**facts, **_explain(cast("CalibratedClassifier", model.predictor), review.text, tokens)})
    return {"words": tokens[:EXPLAINED], "count": len(tokens), "models": models}


@router.post("/memory")
def read_memory(review: ReadReview, request: Request) -> dict[str, object]:
    """Gates and states of a recurrent model at each of the first words of a text that it reads.

    `words` are the numbers of these words; of each direction there are (H, T) values by letter: see `inference.memory`.
    """
    from pipeline.data.texts.text_data import encode_truncated
    from pipeline.data.texts.vocabulary import tokenize
    from pipeline.inference import memory

    model = stored.find_model(request.app.state.root, review.experiment)
    net = _recurrent(model.predictor) if model else None
    if model is None or net is None:
        return stored.untrained(review.experiment)
    predictor = cast("TextClassifier", model.predictor)
    assert predictor.vocabulary is not None
    tokens, data = tokenize(review.text)[:EXPLAINED], predictor.config["data"]
    read = [number for number, word in enumerate(predictor.vocabulary.numbers(tokens)) if word]  # stop words have 0
    if not read:
        return {"words": [], "directions": []}
    ids_T = encode_truncated(predictor.vocabulary, tokens, data["max_tokens"], data["truncation_side"])
    return {
        "words": read[: len(ids_T)] if data["truncation_side"] == "right" else read[-len(ids_T) :],
        "pooling": net.pooling,
        "directions": [
            {name: np.round(values_TH.T, 4).tolist() for name, values_TH in values.items()}
            for values in memory.gates_and_states(net, ids_T)
        ],
    }


def _recurrent(predictor: "Predictor") -> "Recurrent | None":
    """The net of a recurrent model; None for other models, and for ensembles."""
    from pipeline.models.recurrent import Recurrent

    net = getattr(predictor, "net", None)
    return net if isinstance(net, Recurrent) and len(net.ways) else None


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
