"""A stored model and what it says of inputs; knows no server, no cluster and no trainer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import checkpoint
from pipeline.config import build
from pipeline.errors import CheckpointError
from pipeline.types import Judged, Predictions

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Predictor:
    """A trained net, ready to answer: in evaluation mode, on the CPU."""

    net: nn.Module
    config: dict[str, Any]  # name, seed, data, model
    manifest: dict[str, Any]

    @torch.inference_mode()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """A batch of what the net takes -> (B, C) class probabilities."""
        probabilities_BC: Tensor = self.net(inputs).softmax(dim=1)
        return probabilities_BC

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

    def judge(self, images_NCHW: Tensor, labels_N: Tensor | None) -> Judged:
        """What a classifier sees in images, real or drawn; no labels where none were asked for."""
        batches = images_NCHW.split(BATCH)
        return Judged(
            images_NCHW.numpy(),
            None if labels_N is None else labels_N.numpy(),
            torch.cat([self.features(batch) for batch in batches]).numpy(),
            torch.cat([self.probabilities(batch) for batch in batches]).numpy(),
        )

    def predict(self, batches: Iterable[tuple[Tensor, Tensor]], labels: tuple[str, ...]) -> Predictions:
        """All of a split, in its order."""
        scores, truth = zip(*((self.probabilities(inputs), y_true) for inputs, y_true in batches), strict=True)
        return Predictions(torch.cat(truth).numpy(), torch.cat(scores).numpy().astype(np.float64), labels)


def load(model_dir: Path) -> Predictor:
    """Rebuild a net from its model folder, verified first.

    Raises: CheckpointError if the folder is not whole; ConfigError if its config names what may not be called.
    """
    manifest = checkpoint.verify(model_dir)
    try:
        config = json.loads((model_dir / "config.json").read_text())
        net: nn.Module = build(config["model"]["net"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{model_dir / 'config.json'}: not a model's configuration ({error!r}). Train again."
        ) from error
    checkpoint.load_weights(net, model_dir)
    return Predictor(net.eval(), config, manifest)
