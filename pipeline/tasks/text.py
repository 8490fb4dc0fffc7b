"""Classification of texts by a net whose word vectors may be known beforehand."""

import torch

from pipeline.tasks.classification import Classification


class TextClassification(Classification):
    """Train a net with an `embedding`, which starts from the data's word vectors where it has them."""

    def setup(self, stage: str) -> None:
        vectors_VE = self.trainer.datamodule.vectors()  # type: ignore[attr-defined]
        if vectors_VE is not None:
            with torch.no_grad():
                self.net.embedding.weight.copy_(vectors_VE)  # type: ignore[union-attr, operator]
