"""A stored model and what it says of inputs; knows no server, no cluster and no trainer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import checkpoint
from pipeline.config import build
from pipeline.data.piglatin import ENDING, decode, encode, pig_latin, readable
from pipeline.data.text import encoded
from pipeline.data.vocabulary import FILE, Vocabulary, words
from pipeline.errors import CheckpointError
from pipeline.models.seq2seq import Seq2Seq
from pipeline.types import Predictions, Split, Translations

WORDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Predictor:
    """A trained net, ready to answer: in evaluation mode, on the CPU."""

    net: nn.Module
    config: dict[str, Any]  # name, seed, data, model
    manifest: dict[str, Any]
    vocabulary: Vocabulary | None  # of a net that reads texts

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, …, C) probabilities of classes, or of each place's symbol."""
        probabilities: Tensor = self.net(inputs).softmax(dim=-1)
        return probabilities

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of texts as they were written."""
        assert self.vocabulary is not None
        reading = self.config["data"]
        rows = [encoded(self.vocabulary, words(text), reading["max_tokens"], reading["keep"]) for text in texts]
        return torch.cat([self.probabilities(row[None]) for row in rows]).numpy()

    def predict(self, data: Any, split: Split) -> Predictions:
        """All of a split, in its order."""
        scores, truth = zip(
            *((self.probabilities(inputs), y_true) for inputs, y_true in data.batches(split)), strict=True
        )
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)


def load(model_dir: Path) -> Predictor:
    """Rebuild a net from its model folder, verified first.

    Raises: CheckpointError if the folder is not whole; ConfigError if its config names what may not be called.
    """
    manifest = checkpoint.verify(model_dir)
    try:
        config = json.loads((model_dir / checkpoint.CONFIG).read_text())
        net: nn.Module = build(config["model"]["net"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{model_dir / checkpoint.CONFIG}: not a model's configuration ({error!r}). Train again."
        ) from error
    checkpoint.load_weights(net, model_dir)
    vocabulary = Vocabulary.load(model_dir) if (model_dir / FILE).is_file() else None
    return Predictor(net.eval(), config, manifest, vocabulary)


@torch.inference_mode()
def answers(net: Seq2Seq, words: Sequence[str]) -> list[str]:
    """What a pig-latin net says of each word.

    A word it can't read comes back as it is: one that is empty, not all lower-case a-z, or longer than the net was
    made for. `partial(answers, net)` is what `piglatin.translate` needs for a sentence.
    """
    known = [word for word in dict.fromkeys(words) if readable(word) and len(word) <= net.steps - ENDING]
    said: dict[str, str] = {}
    for start in range(0, len(known), WORDS_AT_ONCE):
        some = known[start : start + WORDS_AT_ONCE]
        logits_BTV = net(encode(some, max(map(len, some))))
        said.update(zip(some, decode(logits_BTV.argmax(dim=2)), strict=True))
    return [said.get(word, word) for word in words]


def translations(net: Seq2Seq, words: Sequence[str]) -> Translations:
    """All of some words, in their order, beside what the rule says."""
    return Translations(tuple(words), tuple(map(pig_latin, words)), tuple(answers(net, words)))


@torch.inference_mode()
def attention(net: Seq2Seq, word: str) -> tuple[str, np.ndarray]:
    """The answer to one readable word, and (T, S): how much each of its letters, and its end, looked at each source."""
    logits_1TV, weights_1TS = net.greedy(encode([word], len(word)))
    (answer,) = decode(logits_1TV.argmax(dim=2))
    return answer, weights_1TS[0, : len(answer) + 1].numpy()
