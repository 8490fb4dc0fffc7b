"""Transfer learning: what a net's frozen part makes of the pictures is computed once, the rest is trained on it.

Source: Yosinski et al. 2014, arXiv:1411.1792.
"""

from typing import Any

from torch import Tensor

from pipeline.tasks.classification import Classification


class Transfer(Classification):
    """Train a net such as `Pretrained` on its own `extract_features` of the pictures: on one of each in training, on all after."""

    net: Any

    def setup(self, stage: str) -> None:
        self.trainer.datamodule.use_frozen_features(self.net.extract_features, self.net.frozen_digest())  # type: ignore[attr-defined]

    def logits(self, inputs: Tensor) -> Tensor:
        logits_BK: Tensor = self.net.classify_features(inputs)
        return logits_BK
