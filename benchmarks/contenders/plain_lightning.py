"""An idiomatic Lightning module with a DataLoader, as in the libraries' introductions.

The nets have the pipeline's layers, without its memory format and batches.
"""

import os
import sys
import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from benchmarks.contenders.common import Clock, Pace, mnist, report
from benchmarks.contenders.torch_mnist import Digits

BATCH, SMOOTHING = 128, 0.05
EPOCHS = 10  # more than are measured
RATES = {"cnn": 0.01, "mlp": 0.004}


def net(name: str) -> nn.Sequential:
    """The layers of conf/model/cnn.yaml or mlp.yaml, without dropout."""
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), *_dense(784, 512), *_dense(512, 512), nn.Linear(512, 10))
    convolutions = [*_conv(1, 16, 5, 2, 2), *_conv(16, 32, 3, 2, 1), *_conv(32, 64, 3, 1, 0)]
    return nn.Sequential(*convolutions, nn.Flatten(), *_dense(64 * 5 * 5, 128), nn.Linear(128, 10))


def _conv(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]


class Classifier(pl.LightningModule):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.net, self.rate = net(name), RATES[name]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self.net(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_acc", (logits.argmax(dim=1) == labels).float().mean(), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch
        logits = self.net(images)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(dim=1) == labels).float().mean(), prog_bar=True)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch
        self.log("test_acc", (self.net(images).argmax(dim=1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.rate, betas=(0.9, 0.99), weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=self.rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Paced(pl.Callback):
    """Stops training when the time of a step has been measured."""

    def __init__(self, pace: Pace):
        self.pace = pace

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any) -> None:
        trainer.should_stop = self.pace.step()


class Times(pl.Callback):
    """The times of the first and the last step, and the cost of training."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.clock, self.first_step = Clock(), 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any) -> None:
        self.last_step = time.time()
        self.first_step = self.first_step or self.last_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.figures = {**self.clock.read(), "first_step": self.first_step, "last_step": self.last_step}


def main(name: str, seconds: float, seed: int) -> None:
    pl.seed_everything(seed)
    digits, pace = Digits(mnist()["train"]), Pace(seconds)
    workers = os.cpu_count() or 1
    batches = DataLoader(digits, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    trainer = pl.Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[Paced(pace)])
    trainer.fit(Classifier(name), batches)
    report(**pace.read())


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
