"""Learning after every single sample, as Rosenblatt's rule does; one worker only."""

from torch import Tensor

from pipeline.tasks.classification import Classification


class Online(Classification):
    """Train a net that says by itself how a batch, taken one by one, changes its weights (`online_update`).

    Its change is handed to the optimiser as a gradient, so plain SGD with a learning rate of 1 is the rule itself.
    """

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels_B = batch
        change_KD, right_B = self.net.online_update(inputs, labels_B)  # type: ignore[operator]
        loss: Tensor = -(change_KD * self.net.weights_KD).sum()
        self.add("train", loss, right_B.sum(), len(labels_B))
        return loss
