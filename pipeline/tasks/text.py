"""Text classification with pretrained word vectors."""

import torch

from pipeline.tasks.classification import Classification


class TextClassification(Classification):
    """Train a net whose `embedding` is initialised with the data's word vectors, where the data has them."""

    def setup(self, stage: str) -> None:
        vectors_VE = self.data.vectors()
        if vectors_VE is not None:
            with torch.no_grad():
                self.net.embedding.weight.copy_(vectors_VE)  # type: ignore[union-attr, operator]
