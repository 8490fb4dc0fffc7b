"""Calibration does not depend on the number of cores."""

from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.actions.calibrate import calibrate
from pipeline.config import build_data, load_config, resolve
from pipeline.inference.predictor import ImageClassifier
from pipeline.runs import checkpoints
from pipeline.training.fit import fit
from tests.conftest import TINY


def test_linear_algebra_takes_one_thread_whatever_the_process_has(
    tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = resolve(load_config(*TINY, "trainer.max_epochs=1"))
    config["cluster"]["gpus_per_worker"] = 0
    data = build_data(config, tiny_mnist / "data")
    (tiny_mnist / "run").mkdir()
    fit(config, data_dir=tiny_mnist / "data", run_dir=tiny_mnist / "run")
    before = checkpoints.verify(tiny_mnist / "run/model")
    threads: set[int] = set()
    monkeypatch.setattr(
        ImageClassifier,
        "fit_outliers",
        lambda self, data: threads.update(pool["num_threads"] for pool in threadpool_info()),
    )
    with threadpool_limits(2):
        calibrate(tiny_mnist / "run/model", data)
    assert threads == {1}
    after = checkpoints.verify(tiny_mnist / "run/model")
    assert checkpoints.weights_digest(after) == checkpoints.weights_digest(before)
