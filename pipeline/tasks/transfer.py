"""Transfer learning: train the upper layers of a net on precomputed features of its frozen lower layers.

Source: Yosinski et al. 2014, arXiv:1411.1792.
"""

from typing import Any

from torch import Tensor

from pipeline.tasks.classification import Classification


class Transfer(Classification):
    """Train a net such as `Pretrained` on features that its frozen layers give for two views of each image.

    Training takes one view of each image, drawn anew in each epoch; evaluation averages the logits of both.
    """

    net: Any

    def setup(self, stage: str) -> None:
        self.data.use_frozen_features(self.net.extract_features, self.net.frozen_digest())

    def logits(self, inputs: Tensor) -> Tensor:
        logits_BK: Tensor = self.net.classify_features(inputs)
        return logits_BK
