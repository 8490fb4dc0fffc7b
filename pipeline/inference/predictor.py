"""Predictors for trained nets, and those for classifiers of images and points."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.config import Config, build
from pipeline.data.batches import BatchedData
from pipeline.data.texts.vocabulary import FILE, Vocabulary
from pipeline.errors import CheckpointError, ConfigError
from pipeline.evaluation import calibration as calibrating
from pipeline.evaluation import classification
from pipeline.evaluation.calibration import Calibration, has_probabilities
from pipeline.evaluation.outliers import OutlierDetector
from pipeline.evaluation.outliers import fit as fit_outliers
from pipeline.inference import detectors
from pipeline.inference.export import ExportableModel, facts, first_inputs, with_softmax
from pipeline.inference.hooks import recording
from pipeline.inference.prediction import class_predictions, with_unfamiliar
from pipeline.runs import checkpoints
from pipeline.types import (
    Evaluation,
    InputType,
    Judge,
    JudgedImages,
    Manifest,
    Prediction,
    Predictions,
    RawInput,
    Split,
)

# N samples, B batch, C classes (of images: channels), F features, H height, W width, T time
BATCH = 1000  # images or points in a batch


@dataclass(frozen=True, slots=True)
class Net:
    """A trained net in evaluation mode, on the CPU."""

    net: nn.Module
    config: Config  # name, seed, data, model, requires, labels
    manifest: Manifest
    vocabulary: Vocabulary | None = None  # of a text classifier
    calibration: Calibration | None = None  # of a classifier
    outliers: OutlierDetector | None = None  # of a classifier of images
    input_type: ClassVar[InputType | None] = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.config["labels"])

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """(B, …, C) class probabilities of a batch of inputs; of a translator, of the symbols at each position."""
        probabilities: Tensor = self.net(inputs).softmax(dim=-1)
        return probabilities

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        """The prediction for each of one or more inputs, in their order."""
        raise NotImplementedError

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        """The metrics of a split; only a generator needs a judge."""
        raise NotImplementedError

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The net with its softmax and the first `count` inputs of the test split."""
        inputs = first_inputs(data, count)
        text = () if inputs.is_floating_point() else ("input",)
        metadata = facts(self.config, self.vocabulary, self.calibration)
        net = with_softmax(self.net, self.calibration).eval()
        return ExportableModel(net, {"input": inputs}, "probabilities", text, metadata)


class Classifier(Net):
    """A net that predicts class probabilities."""

    __slots__ = ()

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        """Predictions for all samples of a split, in its order."""
        batches = ((self.probabilities(inputs), y_true) for inputs, y_true in data.batches(split))
        scores, truth = zip(*batches, strict=True)
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        return classification.evaluate(self.predict_split(data, split), data, split, self.calibration)

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        return self.predictions(self.class_probabilities(inputs))

    def predictions(self, scores_NC: np.ndarray) -> list[Prediction]:
        """The prediction for each row of class probabilities; a class alone if they are none."""
        if not has_probabilities(self.config):
            return [{"label": self.labels[best]} for best in scores_NC.argmax(axis=1)]
        return class_predictions(scores_NC, self.labels, self.calibration)

    def class_probabilities(self, inputs: Sequence[RawInput]) -> np.ndarray:
        """(N, C) class probabilities of points, or of arrays in the form of the net's input."""
        stacked = torch.from_numpy(np.stack([np.asarray(array) for array in inputs])).float()
        return np.concatenate([self.probabilities(batch).numpy() for batch in stacked.split(BATCH)])

    def text_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Raises: ConfigError: only text classifiers have probabilities of texts."""
        raise ConfigError(f"{self.config['name']}: takes {self.input_type}, not texts. Choose a text classifier.")

    @torch.inference_mode()
    def log_odds(self, inputs: Tensor, label: int) -> np.ndarray:
        """(N,) log-odds of a class, computed from the logits, since probabilities saturate at 0 and 1."""
        logits_NC = self.net(inputs).double()
        others_NC = torch.cat([logits_NC[:, :label], logits_NC[:, label + 1 :]], dim=1)
        odds_N: np.ndarray = (logits_NC[:, label] - others_NC.logsumexp(dim=1)).numpy()
        return odds_N

    def features(self, inputs: Tensor) -> Tensor:
        """(B, F) inputs of the linear layer that is called last, for a batch of the net's inputs."""
        return self.features_and_probabilities(inputs)[0]

    @torch.inference_mode()
    def features_and_probabilities(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F) features and (B, C) class probabilities, in one pass."""
        with recording(linear_layers(self.net)) as calls:
            probabilities_BC = self.net(inputs).softmax(dim=-1)
        return calls[-1][0], probabilities_BC

    def judge(self, images_NCHW: Tensor, labels_N: Tensor | None) -> JudgedImages:
        """Features and probabilities of real or generated images; labels are None for unconditional generation."""
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

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        """The predictions; with `unfamiliar`, whether an image is unlike those of validation, if that can be judged."""
        if self.outliers is None:
            return super().predict(inputs)
        found: list[Prediction] = []
        for batch in torch.from_numpy(as_images(inputs, self.config)).float().split(BATCH):
            features_BF, probabilities_BC = self.features_and_probabilities(batch)
            predictions = class_predictions(probabilities_BC.numpy(), self.labels, self.calibration)
            found += with_unfamiliar(predictions, self.outliers.is_outlier(features_BF.double().numpy()))
        return found

    def fit_outliers(self, data: BatchedData) -> OutlierDetector | None:
        """A detector of images that are unlike those of validation; None for a net that ends in no linear layer."""
        first_BCHW, _ = next(iter(data.batches("val")))
        with torch.inference_mode(), recording(linear_layers(self.net)) as calls:
            self.net(first_BCHW[:1])
        if not calls or calls[-1][0].ndim != 2:
            return None
        batches = [(self.features(images_BCHW), truth_B) for images_BCHW, truth_B in data.batches("val")]
        features, truth = zip(*batches, strict=True)
        return fit_outliers(torch.cat(features).numpy(), torch.cat(truth).numpy())

    def unfamiliar(self, images_BCHW: Tensor) -> np.ndarray | None:
        """(B,) whether each image is unlike those of validation; None if that can't be judged."""
        if self.outliers is None:
            return None
        return self.outliers.is_outlier(self.features(images_BCHW).double().numpy())

    def class_probabilities(self, inputs: Sequence[RawInput]) -> np.ndarray:
        """(N, C) class probabilities of uint8 images (H, W), or of arrays in the form of the net's input."""
        return super().class_probabilities(list(as_images(inputs, self.config)))


def linear_layers(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


class FrozenFeatures(Protocol):
    """A net with a frozen lower part, whose outputs for the data's images are cached."""

    def extract_features(self, images_BCHW: Tensor) -> Tensor: ...

    def classify_features(self, features_BF: Tensor) -> Tensor: ...

    def frozen_digest(self) -> str: ...


class FrozenClassifier(ImageClassifier):
    """An image classifier that reads the cached outputs of its frozen part when it predicts a split."""

    __slots__ = ()

    def fit_outliers(self, data: BatchedData) -> OutlierDetector | None:
        """None: a net that was trained on many kinds of images knows most others, too."""
        return None

    def predict_split(self, data: BatchedData, split: Split) -> Predictions:
        from pipeline.data.images.image_folder import ImageFolder  # which other nets do without

        if not isinstance(data, ImageFolder):
            return super().predict_split(data, split)
        net = cast(FrozenFeatures, self.net)
        with torch.inference_mode():
            batches = data.frozen_features(split, net.extract_features, net.frozen_digest())
            scores, truth = zip(
                *((net.classify_features(features_BF).softmax(dim=-1), y_true) for features_BF, y_true in batches),
                strict=True,
            )
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), data.labels)


def as_images(inputs: Sequence[RawInput], config: Config) -> np.ndarray:
    """(N, C, H, W) float32 images in [0, 1]; uint8 images are scaled, other arrays are taken as they are."""
    stacked = np.stack([np.asarray(image) for image in inputs])
    if stacked.dtype != np.uint8:
        return stacked
    shape = (len(stacked), *config["data"]["in_shape"])
    return torch.from_numpy(stacked).float().reshape(shape).div(255).numpy()


def load(predictor_class: type[Net], model_dir: Path, config: Config, manifest: Manifest) -> Net:
    """Load a net from its verified model folder as a predictor of the given class.

    Raises: CheckpointError if the folder does not hold a net.
    """
    try:
        net: nn.Module = build(config["model"]["net"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{model_dir / checkpoints.CONFIG}: not a model's configuration ({error!r}). Train again."
        ) from error
    checkpoints.load_weights(net, model_dir)
    vocabulary = Vocabulary.load(model_dir) if (model_dir / FILE).is_file() else None
    calibration, outliers = calibrating.read(model_dir), detectors.read(model_dir)
    return predictor_class(net.eval(), config, manifest, vocabulary, calibration, outliers)
