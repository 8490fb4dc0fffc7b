"""Several initial weights on the same points: how much of a result is luck."""

import base64
from dataclasses import dataclass

import numpy as np

from pipeline.app.play.dataset import GRID, features, grid
from pipeline.app.play.learner import Learner
from pipeline.app.play.maps import encode_map
from pipeline.app.play.settings import Settings

COUNT = 5  # networks
DEFAULT_EPOCHS, MOST_EPOCHS = 100, 300  # training five networks for longer would hold up the page
STEP = 2  # a map shows every second pixel


@dataclass(frozen=True, slots=True)
class Start:
    """A network trained from one initialization: its losses, and its output over the plane."""

    initialization: int
    train: float | None  # None is NaN or infinite
    test: float | None
    map: str  # codes of `encode_map` in base64


@dataclass(frozen=True, slots=True)
class Starts:
    """Networks that differ in their initial weights alone, after the same number of epochs."""

    epochs: int
    runs: list[Start]


def train_starts(settings: Settings, epoch: int) -> Starts:
    """Train COUNT networks from consecutive initializations for as many epochs as the page's network has behind it."""
    epochs = min(epoch or DEFAULT_EPOCHS, MOST_EPOCHS)
    plane = features(grid(), settings.features)
    return Starts(epochs, [_train(settings, number, epochs, plane) for number in range(COUNT)])


def _train(settings: Settings, number: int, epochs: int, plane: np.ndarray) -> Start:
    initialization = (settings.initialization + number) % 2**32
    learner = Learner(settings.model_copy(update={"initialization": initialization}))
    for _ in range(epochs):
        learner.run_epoch()
    with np.errstate(all="ignore"):
        output = learner.output(learner.net.forward(plane))[0].reshape(GRID, GRID)[::STEP, ::STEP]
    train, test = (loss if np.isfinite(loss) else None for loss in learner.losses)
    return Start(initialization, train, test, base64.b64encode(encode_map(output)).decode())
