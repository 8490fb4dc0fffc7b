"""Predictors for nets that classify texts."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pipeline.data.batches import BatchedData
from pipeline.data.texts.encoded import EncodedTexts, lengths
from pipeline.data.texts.text_data import TextData, encode_truncated
from pipeline.data.texts.vocabulary import UNKNOWN, tokenize
from pipeline.inference.prediction import with_unfamiliar
from pipeline.inference.predictor import Classifier
from pipeline.types import InputType, Prediction, Predictions, RawInput, Split

# N texts, B batch, T time, C classes
BATCH = 64


class ReadsTexts(Protocol):
    """A classifier of texts of any kind, which knows the words that it was trained on."""

    def unfamiliar(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) whether a text has none of these words: its prediction does not depend on what it says."""


class TextClassifier(Classifier):
    """A classifier of texts, encoded by its vocabulary as (B, T) int64 word indices."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "texts"

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        """Predictions for all texts of a split, in its order.

        They are read as the net learned to read them: an ensemble's data may have other words and lengths.
        """
        texts, own = cast(TextData, data), self.config["data"]
        assert self.vocabulary is not None
        texts.read()
        part, rows = texts.rows_of[split]
        encoded = EncodedTexts(texts.tokens(part), rows, self.vocabulary, own["max_tokens"], own["truncation_side"])
        return Predictions(texts.truth[split].numpy(), self._of_rows(encoded).astype(np.float64), data.labels)

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        tokenized = [tokenize(text) for text in cast(Sequence[str], inputs)]
        return with_unfamiliar(self.predictions(self._of_words(tokenized)), self._without_known_word(tokenized))

    def unfamiliar(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) whether a text has no word of the vocabulary: its prediction does not depend on what it says."""
        return self._without_known_word([tokenize(text) for text in texts])

    def class_probabilities(self, inputs: Sequence[RawInput]) -> np.ndarray:
        return self.text_probabilities(cast(Sequence[str], inputs))

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of raw texts."""
        return self._of_words([tokenize(text) for text in texts])

    def _without_known_word(self, tokenized: Sequence[list[str]]) -> np.ndarray:
        assert self.vocabulary is not None
        known_N = [any(number > UNKNOWN for number in self.vocabulary.numbers(words)) for words in tokenized]
        return ~np.array(known_N, dtype=bool)

    def _of_words(self, tokenized: Sequence[list[str]]) -> np.ndarray:
        assert self.vocabulary is not None
        data = self.config["data"]
        return self._of_rows(
            [
                encode_truncated(self.vocabulary, words, data["max_tokens"], data["truncation_side"])
                for words in tokenized
            ]
        )

    def _of_rows(self, rows: Sequence[Tensor]) -> np.ndarray:
        # Batches of similar length: padding does not change the result, but costs time.
        order_N = lengths(rows).argsort(stable=True)
        batches = (
            pad_sequence([rows[row] for row in batch.tolist()], batch_first=True) for batch in order_N.split(BATCH)
        )
        scores_NC = torch.cat([self.probabilities(tokens_BT) for tokens_BT in batches])
        return scores_NC[order_N.argsort()].numpy()
