"""Online learning, an update after every sample, as in Rosenblatt's rule; one worker only."""

from torch import Tensor

from pipeline.tasks.classification import Classification


class Online(Classification):
    """Train a net that computes its own weight update from a batch, sample by sample (`online_update`).

    The optimiser gets the negated update as the gradient, so that SGD with a learning rate of 1 applies it exactly.
    """

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels_B = batch
        update_KD, correct_B = self.net.online_update(inputs, labels_B)  # type: ignore[operator]
        loss: Tensor = -(update_KD * self.net.weights_KD).sum()
        self.add("train", loss, correct_B.sum(), len(labels_B))
        return loss
