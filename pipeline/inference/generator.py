"""Predictor for trained image generators, evaluated by a judge."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import BatchedData
from pipeline.errors import ConfigError
from pipeline.evaluation import classification_accuracy_score, generation
from pipeline.inference.export import ExportableModel, facts
from pipeline.inference.predictor import BATCH, Net
from pipeline.types import Evaluation, GeneratedImages, InputType, Judge, JudgedImages, Prediction, RawInput, Split

# N images, K classes, S steps of a latent walk, Z noise dimensions, C channels, H height, W width
EVALUATION_IMAGES = 10_000
STEPS = 12  # of a latent walk


class GeneratorNet(Protocol):
    """A module from (noise_NZ, labels_N) to images in [0, 1]."""

    noise: int
    classes: int
    conditional: bool

    def __call__(self, noise_NZ: Tensor, labels_N: Tensor) -> Tensor: ...


class Generator(Net):
    """A net that generates images of requested classes."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "classes"

    @property
    def generator_net(self) -> GeneratorNet:
        return cast(GeneratorNet, self.net)

    @torch.inference_mode()
    def generate(self, labels_N: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) images in [0, 1] of the requested classes, deterministic for a seed."""
        noise_NZ = torch.randn(len(labels_N), self.generator_net.noise, generator=torch.Generator().manual_seed(seed))
        batches = zip(noise_NZ.split(BATCH), labels_N.split(BATCH), strict=True)
        return torch.cat([self.generator_net(*batch) for batch in batches])

    @torch.inference_mode()
    def walk(self, seed: int = 0, steps: int = STEPS) -> np.ndarray:
        """(K, S, H, W): for each class, images along a spherical interpolation between the same two noise vectors.

        Spherical (White 2016, arXiv:1609.04468), because Gaussian noise has a typical norm: a straight line would pass
        through shorter vectors, which do not occur in training.
        """
        first, second = torch.randn(2, self.generator_net.noise, generator=torch.Generator().manual_seed(seed))
        angle = torch.acos(torch.cosine_similarity(first, second, dim=0))
        position = torch.linspace(0, 1, steps)[:, None]
        noise_SZ = (torch.sin((1 - position) * angle) * first + torch.sin(position * angle) * second) / torch.sin(angle)
        classes = (torch.full((steps,), label) for label in range(self.generator_net.classes))
        return np.stack([self.generator_net(noise_SZ, labels_S)[:, 0].numpy() for labels_S in classes])

    def predict(self, inputs: Sequence[RawInput]) -> list[Prediction]:
        images_NCHW = self.generate(torch.as_tensor(inputs))
        return [{"image": (image_CHW[0] * 255).round().int().tolist()} for image_CHW in images_NCHW]

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        """Raises: ConfigError without a judge."""
        if judge is None:
            raise ConfigError(
                "requires.judge: not set, but a generator is evaluated by a classifier. Set requires.judge=EXPERIMENT."
            )
        classifier, classes = judge, self.generator_net.classes

        def real(split: Split) -> JudgedImages:
            images, labels = zip(*data.batches(split), strict=True)
            return classifier.judge(torch.cat(images), torch.cat(labels))

        labels_N = torch.arange(EVALUATION_IMAGES) % classes
        requested_N = labels_N if self.generator_net.conditional else None
        generated = classifier.judge(self.generate(labels_N), requested_N)
        metrics = generation.metrics(generated, real(split), real("train"))
        if self.generator_net.conditional:
            labels_N = torch.arange(len(data.splits["train"][1])) % classes
            images_NCHW = self.generate(labels_N, seed=1)  # other images than the judged ones
            metrics["classification_accuracy_score"] = classification_accuracy_score.classification_accuracy_score(
                judge.config, images_NCHW, labels_N, data.batches(split)
            )
        hundred_NCHW = self.generate(torch.arange(100) // 10 % classes).numpy()
        return Evaluation(metrics, details=GeneratedImages(hundred_NCHW, self.walk()))

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The net with `count` inputs: noise, and all classes in turn."""
        noise_NZ = torch.randn(count, self.generator_net.noise, generator=torch.Generator().manual_seed(0))
        inputs = {"noise": noise_NZ, "labels": torch.arange(count) % self.generator_net.classes}
        ignored = () if self.generator_net.conditional else ("labels",)
        return ExportableModel(self.net, inputs, "images", facts=facts(self.config, self.vocabulary), ignored=ignored)
