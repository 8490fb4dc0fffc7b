"""A stored model and what it says of inputs; knows no server, no cluster and no trainer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pipeline import checkpoint
from pipeline.aliases import upgrade
from pipeline.config import build
from pipeline.data.encoded import lengths
from pipeline.data.piglatin import ENDING, decode, encode, pig_latin, readable
from pipeline.data.text import encoded
from pipeline.data.vocabulary import FILE, Vocabulary, words
from pipeline.errors import CheckpointError
from pipeline.models.seq2seq import Seq2Seq
from pipeline.types import Judged, Predictions, Split, Translations

BATCH = 1000
TEXTS = 64  # in a batch


@dataclass(frozen=True, slots=True)
class Predictor:
    """A trained net, ready to answer: in evaluation mode, on the CPU."""

    net: nn.Module
    config: dict[str, Any]  # name, seed, data, model
    manifest: dict[str, Any]
    vocabulary: Vocabulary | None = None  # of a net that reads texts

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, …, C) probabilities of classes, or of each place's symbol."""
        probabilities: Tensor = self.net(inputs).softmax(dim=-1)
        return probabilities

    @torch.inference_mode()
    def _of_views(self, views_BV: Tensor) -> Tensor:
        net: Any = self.net
        probabilities: Tensor = net.answer(views_BV).softmax(dim=-1)
        return probabilities

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of texts as they were written."""
        assert self.vocabulary is not None
        reading = self.config["data"]
        rows = [encoded(self.vocabulary, words(text), reading["max_tokens"], reading["keep"]) for text in texts]
        return self._of_texts(rows)

    def _of_texts(self, rows: Sequence[Tensor]) -> np.ndarray:
        # Texts of about equal length together: what stands after a text's end is inert, but takes time.
        order_N = lengths(rows).argsort(stable=True)
        batches = (
            pad_sequence([rows[place] for place in some.tolist()], batch_first=True) for some in order_N.split(TEXTS)
        )
        scores_NC = torch.cat([self.probabilities(tokens_BT) for tokens_BT in batches])
        return scores_NC[order_N.argsort()].numpy()

    @torch.inference_mode()
    def features(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, F): what its last linear layer sees."""
        last = [module for module in self.net.modules() if isinstance(module, nn.Linear)][-1]
        seen: list[Tensor] = []
        with last.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0])):
            self.net(inputs)
        return seen[0]

    @torch.inference_mode()
    def generate(self, labels_N: Tensor, seed: int = 0) -> Tensor:
        """Images of the classes asked for, (N, C, H, W) in [0, 1], from a generator's net; the same for a seed."""
        net: Any = self.net
        noise_NZ = torch.randn(len(labels_N), net.noise, generator=torch.Generator().manual_seed(seed))
        return torch.cat([net(*batch) for batch in zip(noise_NZ.split(BATCH), labels_N.split(BATCH), strict=True)])

    @torch.inference_mode()
    def nats(self, data: Any, split: Split) -> float:
        """A language model's mean surprise at a word of a split."""
        net: Any = self.net
        nats, words = zip(*(net.surprise(tokens_BT, exact=True) for tokens_BT, _ in data.batches(split)), strict=True)
        return float(sum(nats) / sum(words))

    def judge(self, images_NCHW: Tensor, labels_N: Tensor | None) -> Judged:
        """What a classifier sees in images, real or drawn; no labels where none were asked for."""
        batches = images_NCHW.split(BATCH)
        return Judged(
            images_NCHW.numpy(),
            None if labels_N is None else labels_N.numpy(),
            torch.cat([self.features(batch) for batch in batches]).numpy(),
            torch.cat([self.probabilities(batch) for batch in batches]).numpy(),
        )

    def predict(self, data: Any, split: Split) -> Predictions:
        """All of a split, in its order."""
        net: Any = self.net
        if hasattr(data, "numbered"):
            rows, truth_N = data.numbered(split)
            return Predictions(truth_N.numpy(), self._of_texts(rows).astype(np.float64), data.labels)
        if hasattr(net, "views"):  # what its frozen part makes of the data is in the cache
            batches = data.viewed(split, net.views, net.frozen_digest())
            answered = ((self._of_views(views_BV), y_true) for views_BV, y_true in batches)
        else:
            answered = ((self.probabilities(inputs), y_true) for inputs, y_true in data.batches(split))
        scores, truth = zip(*answered, strict=True)
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)


def load(model_dir: Path) -> Predictor:
    """Rebuild a net from its model folder, verified first.

    Raises: CheckpointError if the folder is not whole; ConfigError if its config names what may not be called.
    """
    manifest = checkpoint.verify(model_dir)
    try:
        config = upgrade(json.loads((model_dir / checkpoint.CONFIG).read_text()))
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
    for start in range(0, len(known), BATCH):
        some = known[start : start + BATCH]
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
