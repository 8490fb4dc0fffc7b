"""Defaults and advice for few samples of one's own, with which a net that is trained from scratch disappoints."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import Config, build_data
from pipeline.config.kind import task_of
from pipeline.kinds import kind_of
from pipeline.types import Console

if TYPE_CHECKING:  # imports torch
    from pipeline.data.batches import BatchedData
    from pipeline.data.own.found import Found

STEPS = 1000  # optimiser steps that a small net needs
MOST_EPOCHS = 200
FOLDS, TEST_SIZE = 10, 0.1  # which hold out half of what the defaults do
SCRATCH, PRETRAINED = "model=cnn", ("model=pretrained", "data.in_shape=[3,192,192]")


def enough_epochs(config: Config, overrides: Sequence[str], console: Console, *, root: Path) -> list[str]:
    """The override of epochs that make 1,000 steps, at most 200; none for many samples, or if they were chosen.

    An experiment or the user may have chosen them.

    Raises: DataError if the samples can't be read.
    """
    from pipeline.data.own.found import FEW

    own = "path" in config["data"] and config["name"] == config["data"]["name"]
    chosen = any(word.lstrip("+").partition("=")[0] in ("trainer", "trainer.max_epochs") for word in overrides)
    if not own or chosen or not kind_of(config).trains_by_epochs or task_of(config).does == "classify frozen features":
        return []
    rows = build_data(config, root / "data").describe().rows["train"]
    steps = max(1, rows // config["data"]["batch_size"])  # of an epoch, which leaves an incomplete batch out
    if rows >= FEW:
        return []
    epochs = max(config["trainer"]["max_epochs"], min(MOST_EPOCHS, -(-STEPS // steps)))
    console.print(
        f"epochs      {epochs}, as few samples need {STEPS:,} steps; trainer.max_epochs=… sets another number"
    )
    return [f"trainer.max_epochs={epochs}"]


def held_out(config: Config, module: "BatchedData") -> Iterator[str]:
    """A line on the setting that holds out fewer of few samples, unless the data brings its splits."""
    if "path" not in config["data"]:
        return
    from pipeline.data.images.image_folder import ImageFolder
    from pipeline.data.own.found import FEW
    from pipeline.data.texts.own_texts import OwnTexts

    rows, setting = module.describe().rows, None
    if isinstance(module, ImageFolder) and not module.prepared.splits and module.folds < FOLDS:
        setting = f"data.folds={FOLDS}"
    undivided = isinstance(module, OwnTexts) and module.source_texts.parts == ("all",)
    if undivided and TEST_SIZE < config["data"]["test_size"] < 1:
        setting = f"data.test_size={TEST_SIZE}"
    if setting and rows["train"] < FEW:
        yield f"held out    {rows['val'] + rows['test']:,} of {sum(rows.values()):,} samples; {setting} holds out fewer"


def transferred(found: "Found") -> "Found":
    """What was found, with the command that starts from pretrained weights if the images are few."""
    from pipeline.data.own.found import FEW

    words = shlex.split(found.command or "")
    if found.splits.get("train", FEW) >= FEW or SCRATCH not in words or "data=image_folder" not in words:
        return found
    model, shape = PRETRAINED
    return replace(found, command=shlex.join([*(model if word == SCRATCH else word for word in words), shape]))
