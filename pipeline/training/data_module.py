"""The LightningDataModule through which a Trainer reads a data set; only training imports Lightning for data."""

from typing import Any

from lightning.pytorch import LightningDataModule
from torch import Tensor

from pipeline.data.batches import BatchedData, Batches


class DataModule(LightningDataModule):
    """Passes on the batches of `data`, in the order of the Trainer's current epoch."""

    def __init__(self, data: BatchedData):
        super().__init__()
        self.data = data

    def train_dataloader(self) -> Batches:
        trainer = self.trainer
        assert trainer is not None
        return self.data.train_dataloader(epoch=lambda: trainer.current_epoch)

    def val_dataloader(self) -> Any:
        return self.data.val_dataloader()

    def on_after_batch_transfer(self, batch: tuple[Tensor, ...], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        return self.data.on_after_batch_transfer(batch, dataloader_idx)
