"""Pig latin while typing, and where the translator looks."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

EXPERIMENT = "piglatin_seq2seq"
SHOWN = 12  # words whose attention is drawn
router = APIRouter(prefix="/piglatin")


class Sentence(BaseModel):
    """English, as it is typed."""

    text: str = Field(max_length=500)


@router.post("/translate")
def translated(sentence: Sentence, request: Request) -> dict[str, Any]:
    """The translation by the net and by the rule, and each word's attention: a row a letter written."""
    from pipeline.data.piglatin.rule import ENDING, WORD, pig_latin, translatable, translate
    from pipeline.inference.translator import attention, translate_words

    model = stored.model(request.app.state.root, EXPERIMENT)
    if model is None:
        return stored.missing(EXPERIMENT)
    net = model.predictor.net
    found = dict.fromkeys(match[0].lower() for match in WORD.finditer(sentence.text))
    words: list[dict[str, Any]] = []
    for word in found:
        if translatable(word) and len(word) <= net.steps - ENDING and len(words) < SHOWN:
            answer, weights_TS = attention(net, word)
            words.append(
                {"word": word, "answer": answer, "rule": pig_latin(word), "looks": weights_TS.round(3).tolist()}
            )
    return {
        "experiment": EXPERIMENT,
        "source": model.source,
        "translation": translate(sentence.text, partial(translate_words, net)),
        "rule": translate(sentence.text, lambda some: [pig_latin(word) for word in some]),
        "words": words,
    }


PAGE = Page("piglatin", "Pig latin", "A translator writes pig latin and shows where it looks.", router)
