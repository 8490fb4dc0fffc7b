"""Trained nets that classify images, points or texts, or model a language; they know no server and no trainer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from pipeline.config import build
from pipeline.data.batches import BatchedData
from pipeline.data.images.image_folder import ImageFolder
from pipeline.data.texts.encoded import lengths
from pipeline.data.texts.text_data import TextData, encode_truncated
from pipeline.data.texts.vocabulary import FILE, Vocabulary, tokenize
from pipeline.errors import CheckpointError, ConfigError
from pipeline.evaluation import classification
from pipeline.inference.export import ExportableModel, facts, first_inputs, with_softmax
from pipeline.runs import checkpoints
from pipeline.types import Evaluation, InputType, Judge, JudgedImages, Prediction, Predictions, Split

# N samples, B batch, C class, F feature, H height, W width, V view, T time
BATCH = 1000
TEXTS = 64  # in a batch


@dataclass(frozen=True, slots=True)
class Net:
    """A trained net in evaluation mode, on the CPU."""

    net: nn.Module
    config: dict[str, Any]  # name, seed, data, model, requires
    manifest: dict[str, Any]
    vocabulary: Vocabulary | None = None  # of a net that reads texts
    input_type: ClassVar[InputType | None] = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, …, C) probabilities of classes, or of each place's symbol."""
        probabilities: Tensor = self.net(inputs).softmax(dim=-1)
        return probabilities

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        """The answer to each of one or more inputs, in their order."""
        raise NotImplementedError

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        """The scores of a split; only a generator needs a judge."""
        raise NotImplementedError

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The net and its softmax, with the first `count` inputs of the test split."""
        inputs = first_inputs(data, count)
        text = () if inputs.is_floating_point() else ("input",)
        told = facts(self.config, self.vocabulary)
        return ExportableModel(with_softmax(self.net).eval(), {"input": inputs}, "probabilities", text, told)


class Classifier(Net):
    """A net from inputs to the probabilities of classes."""

    __slots__ = ()

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        """All of a split, in its order."""
        answered = ((self.probabilities(inputs), y_true) for inputs, y_true in data.batches(split))
        scores, truth = zip(*answered, strict=True)
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        return classification.evaluate(self.predict_split(data, split), data, split)

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        return [class_prediction(score_C, self.labels) for score_C in self.class_probabilities(inputs)]

    def class_probabilities(self, inputs: Sequence[Any]) -> np.ndarray:
        """(N, C) class probabilities of points, or of arrays that are as the net takes them."""
        given = torch.from_numpy(np.stack([np.asarray(one) for one in inputs])).float()
        return np.concatenate([self.probabilities(batch).numpy() for batch in given.split(BATCH)])

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Raises: ConfigError, for only nets that read texts have probabilities for them."""
        raise ConfigError(f"{self.config['name']}: takes {self.input_type}, not texts. Choose a model of texts.")

    @torch.inference_mode()
    def log_odds(self, inputs: Tensor, label: int) -> np.ndarray:
        """(N,) log-odds of a class, from the logits: the probabilities of a perceptron are all but 0 and 1."""
        logits_NC = self.net(inputs).double()
        others_NC = torch.cat([logits_NC[:, :label], logits_NC[:, label + 1 :]], dim=1)
        odds_N: np.ndarray = (logits_NC[:, label] - others_NC.logsumexp(dim=1)).numpy()
        return odds_N

    @torch.inference_mode()
    def features(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, F): what its last linear layer sees."""
        last = [module for module in self.net.modules() if isinstance(module, nn.Linear)][-1]
        seen: list[Tensor] = []
        with last.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0])):
            self.net(inputs)
        return seen[0]

    def judge(self, images_NCHW: Tensor, labels_N: Tensor | None) -> JudgedImages:
        """What a classifier sees in images, real or drawn; no labels where none were asked for."""
        batches = images_NCHW.split(BATCH)
        return JudgedImages(
            images_NCHW.numpy(),
            None if labels_N is None else labels_N.numpy(),
            torch.cat([self.features(batch) for batch in batches]).numpy(),
            torch.cat([self.probabilities(batch) for batch in batches]).numpy(),
        )


class PointClassifier(Classifier):
    """A classifier of points, (B, 2) or more coordinates."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "points"


class ImageClassifier(Classifier):
    """A classifier of images, (B, C, H, W) in [0, 1]."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "images"

    def class_probabilities(self, inputs: Sequence[Any]) -> np.ndarray:
        """(N, C) class probabilities of images (H, W) of 0..255, or of arrays that are as the net takes them."""
        return super().class_probabilities(list(as_images(inputs, self.config)))


class Views(Protocol):
    """A net whose lower part never changes, so that what it makes of an image can be kept."""

    def extract_features(self, images_BCHW: Tensor) -> Tensor: ...

    def classify_features(self, views_BV: Tensor) -> Tensor: ...

    def frozen_digest(self) -> str: ...


class FrozenClassifier(ImageClassifier):
    """A classifier of images whose frozen part's output for the data's images is in the cache."""

    __slots__ = ()

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        if not isinstance(data, ImageFolder):
            return super().predict_split(data, split)
        net = cast(Views, self.net)
        with torch.inference_mode():
            batches = data.frozen_features(split, net.extract_features, net.frozen_digest())
            scores, truth = zip(
                *((net.classify_features(views).softmax(dim=-1), y_true) for views, y_true in batches), strict=True
            )
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)


class TextClassifier(Classifier):
    """A classifier of texts, numbered by its vocabulary: (B, T) int64."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "texts"

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        rows, truth_N = cast(TextData, data).encoded_split(split)
        return Predictions(truth_N.numpy(), self._of_rows(rows).astype(np.float64), data.labels)

    def class_probabilities(self, inputs: Sequence[Any]) -> np.ndarray:
        return self.text_probabilities(inputs)

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) class probabilities of texts as they were written."""
        assert self.vocabulary is not None
        reading = self.config["data"]
        rows = [
            encode_truncated(self.vocabulary, tokenize(text), reading["max_tokens"], reading["truncation_side"])
            for text in texts
        ]
        return self._of_rows(rows)

    def _of_rows(self, rows: Sequence[Tensor]) -> np.ndarray:
        # Texts of about equal length together: what stands after a text's end is inert, but takes time.
        order_N = lengths(rows).argsort(stable=True)
        batches = (
            pad_sequence([rows[place] for place in some.tolist()], batch_first=True) for some in order_N.split(TEXTS)
        )
        scores_NC = torch.cat([self.probabilities(tokens_BT) for tokens_BT in batches])
        return scores_NC[order_N.argsort()].numpy()


class LanguageModel(Net):
    """A net that predicts the words of a text; classifiers are initialised from it."""

    __slots__ = ()

    @torch.inference_mode()
    def nats(self, data: BatchedData, split: Split) -> float:
        """The mean surprise at a word of a split."""
        net: Any = self.net
        nats, words = zip(*(net.nll(tokens_BT, exact=True) for tokens_BT, _ in data.batches(split)), strict=True)
        return float(sum(nats) / sum(words))

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        nats = self.nats(data, split)
        return Evaluation({"loss": nats, "perplexity": math.exp(nats)})

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        raise ConfigError(f"{self.config['name']} is a language model: classifiers begin with it.")

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        raise ConfigError(f"{self.config['name']} is a language model: classifiers begin with it.")


def class_prediction(score_C: np.ndarray, labels: Sequence[str]) -> Prediction:
    """The likeliest class, and what each is given."""
    best = int(score_C.argmax())
    each = {label: float(score) for label, score in zip(labels, score_C, strict=True)}
    return {"label": labels[best], "probability": float(score_C[best]), "probabilities": each}


def as_images(inputs: Sequence[Any], config: dict[str, Any]) -> np.ndarray:
    """Images as a net takes them, (N, C, H, W) float32 in [0, 1]; those of 0..255 are scaled."""
    stacked = np.stack([np.asarray(one) for one in inputs])
    if stacked.dtype != np.uint8:
        return stacked
    shape = (len(stacked), *config["data"]["in_shape"])
    return torch.from_numpy(stacked).float().reshape(shape).div(255).numpy()


def load(kind: type[Net], model_dir: Path, config: dict[str, Any], manifest: dict[str, Any]) -> Net:
    """Rebuild a net from its verified model folder, as a predictor of some kind.

    Raises: CheckpointError if the folder does not hold one.
    """
    try:
        net: nn.Module = build(config["model"]["net"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{model_dir / checkpoints.CONFIG}: not a model's configuration ({error!r}). Train again."
        ) from error
    checkpoints.load_weights(net, model_dir)
    vocabulary = Vocabulary.load(model_dir) if (model_dir / FILE).is_file() else None
    return kind(net.eval(), config, manifest, vocabulary)
