"""Predictor for the pig latin translator: words are translated letter by letter, sentences word by word."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, cast

import numpy as np
import torch

from pipeline.data.batches import BatchedData
from pipeline.data.piglatin.piglatin_data import PigLatinData
from pipeline.data.piglatin.rule import ENDING, decode, encode, pig_latin, translatable, translate
from pipeline.evaluation import classification, translation
from pipeline.inference.predictor import BATCH, Net
from pipeline.models.seq2seq import Seq2Seq
from pipeline.types import Evaluation, InputType, Judge, Prediction, RawInput, Split, TranslationDetails, Translations

# B batch, T target letters, S source letters, V symbols
EXAMPLE = "string"  # the word whose attention weights are recorded


class Translator(Net):
    """A sequence-to-sequence net from English words to pig latin."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "sentences"

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        translate_batch = partial(translate_words, cast(Seq2Seq, self.net))
        return [{"label": translate(sentence, translate_batch)} for sentence in cast(Sequence[str], inputs)]

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        data.setup()
        net = cast(Seq2Seq, self.net)
        translated = translations(net, cast(PigLatinData, data).words[split])
        counts = translation.exact_match_by_rule(translated)
        by_rule = {f"exact_match_{rule}": correct / total for rule, (correct, total) in counts.items()}
        details = TranslationDetails(translated, EXAMPLE, *attention(net, EXAMPLE))
        samples = classification.correctness(translated.references, translated.predictions)
        return Evaluation({**translation.metrics(translated), **by_rule}, samples, details)


@torch.inference_mode()
def translate_words(net: Seq2Seq, words: Sequence[str]) -> list[str]:
    """Translate each word; a word that the net can't encode is returned unchanged.

    Such a word is empty, has characters other than a-z, or is longer than the net's maximum.
    """
    encodable = [word for word in dict.fromkeys(words) if translatable(word) and len(word) <= net.steps - ENDING]
    translated: dict[str, str] = {}
    for start in range(0, len(encodable), BATCH):
        batch = encodable[start : start + BATCH]
        logits_BTV = net(encode(batch, max(map(len, batch))))
        translated.update(zip(batch, decode(logits_BTV.argmax(dim=2)), strict=True))
    return [translated.get(word, word) for word in words]


def translations(net: Seq2Seq, words: Sequence[str]) -> Translations:
    """The net's translations of words, with the references that the pig latin rule gives."""
    return Translations(tuple(words), tuple(map(pig_latin, words)), tuple(translate_words(net, words)))


@torch.inference_mode()
def attention(net: Seq2Seq, word: str) -> tuple[str, np.ndarray]:
    """The translation of a word of a-z, and the (T, S) attention weights of its letters, and its end, to the source."""
    logits_1TV, weights_1TS = net.greedy(encode([word], len(word)))
    (prediction,) = decode(logits_1TV.argmax(dim=2))
    return prediction, weights_1TS[0, : len(prediction) + 1].numpy()
