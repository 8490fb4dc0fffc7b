"""A trained translator into pig latin: a word letter by letter, a sentence word by word."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import torch

from pipeline.data.batches import BatchedData
from pipeline.data.piglatin.piglatin_data import PigLatinData
from pipeline.data.piglatin.rule import ENDING, decode, encode, pig_latin, translatable, translate
from pipeline.evaluation import classification, translation
from pipeline.inference.predictor import BATCH, Net
from pipeline.models.seq2seq import Seq2Seq
from pipeline.types import Evaluation, InputType, Judge, Prediction, Split, TranslationDetails, Translations

# T time of the answer, S time of the source
EXAMPLE = "string"  # the word whose translation is looked into


class Translator(Net):
    """A net from an English word to pig latin, letter by letter."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "sentences"

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        return [{"label": translate(one, partial(translate_words, cast(Seq2Seq, self.net)))} for one in inputs]

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        data.setup()
        net = cast(Seq2Seq, self.net)
        said = translations(net, cast(PigLatinData, data).words[split])
        kinds = {
            f"exact_match_{name}": right / of for name, (right, of) in translation.exact_match_by_rule(said).items()
        }
        details = TranslationDetails(said, EXAMPLE, *attention(net, EXAMPLE))
        samples = classification.correctness(said.references, said.predictions)
        return Evaluation({**translation.metrics(said), **kinds}, samples, details)


@torch.inference_mode()
def translate_words(net: Seq2Seq, words: Sequence[str]) -> list[str]:
    """What a pig-latin net says of each word.

    A word it can't read comes back as it is: one that is empty, not all lower-case a-z, or longer than the net was
    made for. `partial(translate_words, net)` is what `piglatin.translate` needs for a sentence.
    """
    known = [word for word in dict.fromkeys(words) if translatable(word) and len(word) <= net.steps - ENDING]
    said: dict[str, str] = {}
    for start in range(0, len(known), BATCH):
        some = known[start : start + BATCH]
        logits_BTV = net(encode(some, max(map(len, some))))
        said.update(zip(some, decode(logits_BTV.argmax(dim=2)), strict=True))
    return [said.get(word, word) for word in words]


def translations(net: Seq2Seq, words: Sequence[str]) -> Translations:
    """All of some words, in their order, beside what the rule says."""
    return Translations(tuple(words), tuple(map(pig_latin, words)), tuple(translate_words(net, words)))


@torch.inference_mode()
def attention(net: Seq2Seq, word: str) -> tuple[str, np.ndarray]:
    """The answer to one translatable word, and (T, S): how much each of its letters, and its end, looked at each source."""
    logits_1TV, weights_1TS = net.greedy(encode([word], len(word)))
    (answer,) = decode(logits_1TV.argmax(dim=2))
    return answer, weights_1TS[0, : len(answer) + 1].numpy()
