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
from pipeline.types import Predictions


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
