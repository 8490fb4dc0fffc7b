"""A trained generator of images, and its evaluation by a judge."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import BatchedData
from pipeline.errors import ConfigError
from pipeline.evaluation import classification_accuracy_score, generation
from pipeline.inference.export import ExportableModel, facts
from pipeline.inference.predictor import BATCH, Net
from pipeline.types import Evaluation, GeneratedImages, InputType, Judge, JudgedImages, Prediction, Split

# N images, K class, S step of a walk, Z noise, C channel, H height, W width
DRAWN = 10_000  # images that a generator is evaluated on
STEPS = 12  # of a walk


class Draws(Protocol):
    """A generator's net: (noise_NZ, labels_N) to images in [0, 1]."""

    noise: int
    classes: int
    conditional: bool

    def __call__(self, noise_NZ: Tensor, labels_N: Tensor) -> Tensor: ...


class Generator(Net):
    """A net that draws images of the classes it is asked for."""

    __slots__ = ()
    input_type: ClassVar[InputType | None] = "classes"

    @property
    def draws(self) -> Draws:
        return cast(Draws, self.net)

    @torch.inference_mode()
    def generate(self, labels_N: Tensor, seed: int = 0) -> Tensor:
        """Images of the classes asked for, (N, C, H, W) in [0, 1]; the same for a seed."""
        noise_NZ = torch.randn(len(labels_N), self.draws.noise, generator=torch.Generator().manual_seed(seed))
        batches = zip(noise_NZ.split(BATCH), labels_N.split(BATCH), strict=True)
        return torch.cat([self.draws(*batch) for batch in batches])

    @torch.inference_mode()
    def walk(self, seed: int = 0, steps: int = STEPS) -> np.ndarray:
        """(K, S, H, W): for each class, images from one noise to another, the same two for all.

        The steps are even on the arc between the two (White 2016, arXiv:1609.04468): normal noise has a length, and
        the straight line would pass through shorter ones that the generator never saw.
        """
        first, second = torch.randn(2, self.draws.noise, generator=torch.Generator().manual_seed(seed))
        angle = torch.acos(torch.cosine_similarity(first, second, dim=0))
        way = torch.linspace(0, 1, steps)[:, None]
        noise_SZ = (torch.sin((1 - way) * angle) * first + torch.sin(way * angle) * second) / torch.sin(angle)
        classes = (torch.full((steps,), label) for label in range(self.draws.classes))
        return np.stack([self.draws(noise_SZ, labels_S)[:, 0].numpy() for labels_S in classes])

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        images_NCHW = self.generate(torch.as_tensor(inputs))
        return [{"image": (image_CHW[0] * 255).round().int().tolist()} for image_CHW in images_NCHW]

    def evaluate(self, data: BatchedData, split: Split, judge: Judge | None = None) -> Evaluation:
        """Raises: ConfigError without a judge."""
        if judge is None:
            raise ConfigError("requires.judge: a generator needs a classifier to be judged by. Set +requires.judge=….")
        eyes, classes = judge, self.draws.classes

        def real(split: Split) -> JudgedImages:
            images, labels = zip(*data.batches(split), strict=True)
            return eyes.judge(torch.cat(images), torch.cat(labels))

        labels_N = torch.arange(DRAWN) % classes
        asked_for = labels_N if self.draws.conditional else None
        drawn = eyes.judge(self.generate(labels_N), asked_for)
        metrics = generation.metrics(drawn, real(split), real("train"))
        if self.draws.conditional:
            labels_N = torch.arange(len(data.splits["train"][1])) % classes
            drawn_NCHW = self.generate(labels_N, seed=1)  # not those that were judged
            metrics["classification_accuracy_score"] = classification_accuracy_score.classification_accuracy_score(
                judge.config, drawn_NCHW, labels_N, data.batches(split)
            )
        hundred_NCHW = self.generate(torch.arange(100) // 10 % classes).numpy()
        return Evaluation(metrics, details=GeneratedImages(hundred_NCHW, self.walk()))

    def exportable(self, data: BatchedData, count: int) -> ExportableModel:
        """The net with `count` inputs: noise, and the classes in turn."""
        noise_NZ = torch.randn(count, self.draws.noise, generator=torch.Generator().manual_seed(0))
        inputs = {"noise": noise_NZ, "labels": torch.arange(count) % self.draws.classes}
        ignored = () if self.draws.conditional else ("labels",)
        return ExportableModel(self.net, inputs, "images", facts=facts(self.config, self.vocabulary), ignored=ignored)
