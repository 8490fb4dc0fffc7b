"""Pig Latin page: translation while typing, beside the rule's, and the attention of each word."""

import re
import unicodedata
from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:
    from pipeline.inference.predictor import Net
    from pipeline.models.seq2seq import Seq2Seq

EXPERIMENT = "piglatin_seq2seq"
WORDS_SHOWN = 12  # whose attention is drawn
router = APIRouter(prefix="/piglatin")


class Sentence(BaseModel):
    """The English text in the page's text field."""

    text: Annotated[str, Field(max_length=500)]


@router.post("/translate")
def translate_sentence(sentence: Sentence, request: Request) -> dict[str, object]:
    """The translations by the network and by the rule, each word's attention, and the words left untranslated.

    Attention is (T, S): a row for each letter written, a column for each letter read.
    """
    from pipeline.data.piglatin.rule import ENDING, pig_latin, translate
    from pipeline.inference.translator import attention, translate_words

    model = stored.find_model(request.app.state.root, EXPERIMENT)
    if model is None:
        return stored.untrained(EXPERIMENT)
    net = cast("Seq2Seq", cast("Net", model.predictor).net)
    readable, notes = split_words(sentence.text, net.steps - ENDING)
    words: list[dict[str, object]] = []
    for word in readable[:WORDS_SHOWN]:
        translation, weights_TS = attention(net, word)
        words.append(
            {
                "word": word,
                "translation": translation,
                "rule": pig_latin(word),
                "attention": weights_TS.round(3).tolist(),
            }
        )
    return {
        "experiment": EXPERIMENT,
        "source": model.source,
        "translation": translate(sentence.text, partial(translate_words, net)),
        "rule": translate(sentence.text, lambda words: [pig_latin(word) for word in words]),
        "words": words,
        "hidden": max(0, len(readable) - WORDS_SHOWN),
        "notes": notes,
    }


def split_words(text: str, longest: int) -> tuple[list[str], list[str]]:
    """The lower-case words that the network translates, and a sentence for each word that it leaves as it is."""
    from pipeline.data.piglatin.rule import LETTER, WORD, translatable

    text = unicodedata.normalize("NFC", text)
    words: dict[str, None] = {}
    notes: dict[str, None] = {}
    for match in WORD.finditer(text):
        word = match[0].lower()
        ending = _ending(text[match.end() :], LETTER)
        if not translatable(word):
            notes[f"“{match[0]}” stays as it is: the network reads only the letters a to z."] = None
        elif len(word) > longest:
            notes[f"“{match[0]}” stays as it is: {len(word)} letters, the network reads at most {longest}."] = None
        else:
            words[word] = None
            if ending:
                notes[f"“{match[0]}{ending}”: “{match[0]}” is translated, the ending “{ending}” stays."] = None
    return list(words), list(notes)


def _ending(rest: str, letter: str) -> str:
    """The ending behind an apostrophe with which a text begins, such as "'t" of "don't"; else empty."""
    match = re.match(rf"['’]{letter}+", rest)
    return match[0] if match else ""


PAGE = Page(
    "piglatin", "Pig Latin", "A sequence-to-sequence network translates into Pig Latin and shows its attention.", router
)
