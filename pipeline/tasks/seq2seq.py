"""Translation: train with teacher forcing, validate greedy decoding by exact match.

Source of teacher forcing: Williams, Zipser 1989, doi:10.1162/neco.1989.1.2.270.
"""

from torch import Tensor
from torch.nn import functional as F

from pipeline.tasks.task import Task
from pipeline.types import PAD

# B batch, S time of the source, T time of the target, V symbol


class Translation(Task):
    """Train `net`, which gives logits under teacher forcing (`teacher_forcing`) and of greedy decoding (`forward`).

    `loss` is the mean cross-entropy a symbol, in nats; `exact_match` the share of outputs without a wrong symbol.
    """

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, symbols = self._loss(*batch)
        self.add("train", loss * symbols, symbols)
        return loss

    def weight(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The symbols of the targets."""
        return (batch[1] != PAD).sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        source_BS, target_BT = batch
        loss, symbols = self._loss(source_BS, target_BT)
        output_BT = self.net(source_BS).argmax(dim=2)[:, : target_BT.shape[1]]
        exact = ((output_BT == target_BT) | (target_BT == PAD)).all(dim=1)
        self.add("val", loss * symbols, symbols, exact.sum(), len(exact))

    def on_train_epoch_end(self) -> None:
        loss, symbols = self.total("train", 2)
        self.log("train/loss", loss / symbols)

    def on_validation_epoch_end(self) -> None:
        loss, symbols, exact, outputs = self.total("val", 4)
        self.log_dict({"val/loss": loss / symbols, "val/exact_match": exact / outputs})

    def _loss(self, source_BS: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy a symbol under teacher forcing, and the number of symbols."""
        logits_BTV = self.net.teacher_forcing(source_BS, target_BT)  # type: ignore[operator]
        loss = F.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten(), ignore_index=PAD)
        return loss, (target_BT != PAD).sum()
