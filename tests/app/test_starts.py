"""Five initializations: each is the network that the page trains with that initialization."""

import base64

import numpy as np
import pytest

from pipeline.app.play.learner import Learner
from pipeline.app.play.settings import Settings
from pipeline.app.play.starts import DEFAULT_EPOCHS, MOST_EPOCHS, train_starts

SMALL = Settings.model_validate({"problem": "gauss", "layers": [], "batch": 30, "initialization": 7})


def test_every_start_has_the_losses_of_its_own_training() -> None:
    starts = train_starts(SMALL, 3)
    assert starts.epochs == 3
    assert [run.initialization for run in starts.runs] == [7, 8, 9, 10, 11]
    for run in starts.runs:
        learner = Learner(SMALL.model_copy(update={"initialization": run.initialization}))
        for _ in range(3):
            learner.run_epoch()
        assert (run.train, run.test) == learner.losses
        codes = np.frombuffer(base64.b64decode(run.map), np.uint8)
        assert codes.shape == (50 * 50,)
        assert codes.min() < 128 < codes.max()
    assert len({run.map for run in starts.runs}) == 5


@pytest.mark.parametrize(("epoch", "trained"), [(0, DEFAULT_EPOCHS), (10_000, MOST_EPOCHS)])
def test_the_number_of_epochs_is_bounded(epoch: int, trained: int) -> None:
    assert train_starts(SMALL, epoch).epochs == trained
