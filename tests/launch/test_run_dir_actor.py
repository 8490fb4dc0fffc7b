"""The actor of a run's folder, and what a worker elsewhere sends to it, without Ray."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import CheckpointError
from pipeline.launch import run_dir_actor
from pipeline.launch.run_dir_actor import RunDirActor, workspace
from pipeline.runs import checkpoints, interruption


def test_the_node_of_a_worker_that_starts_before_the_first_rank_is_known(tmp_path: Path) -> None:
    driver = RunDirActor(str(tmp_path), keep=1)
    driver.enter(1, 2, "node-1", 11)
    driver.enter(0, 2, "node-0", 10)
    assert driver.placement() == ({"node-0", "node-1"}, None)


def test_a_worker_that_starts_again_elsewhere_leaves_its_former_node(tmp_path: Path) -> None:
    driver = RunDirActor(str(tmp_path), keep=1)
    for rank, node in ((0, "node-0"), (1, "node-1"), (1, "node-2"), (0, "node-0")):
        driver.enter(rank, 2, node, 10)
    assert driver.placement() == ({"node-0", "node-2"}, None)
    driver.forget_nodes()
    assert driver.placement() == (set(), None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_checkpoint_that_the_driver_can_not_store_stops_the_training_and_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver: Any = RunDirActor(str(tmp_path), keep=1)
    (tmp_path / run_dir_actor.MARK).unlink()  # as on a node without this folder

    def refuse(name: str, files: run_dir_actor.Files) -> None:
        raise CheckpointError(f"{name}: No space left on device")

    driver.publish = refuse
    methods = ("mark", "newest", "inputs", "publish", "append", "stopping")
    actor: Any = SimpleNamespace(**{name: SimpleNamespace(remote=getattr(driver, name)) for name in methods})
    monkeypatch.setattr("ray.get", lambda value: value)
    monkeypatch.setattr(run_dir_actor, "SEND_S", 0.01)
    stopped = []

    def train() -> None:
        with workspace(actor, tmp_path, 0) as local:
            checkpoints.publish(local / "checkpoints/step-000000007", lambda aside: None, step=7)
            ends = time.monotonic() + 1.5
            while not interruption.requested(local) and time.monotonic() < ends:
                time.sleep(0.01)
            stopped.append(interruption.requested(local))

    with pytest.raises(CheckpointError, match="step-000000007: No space left on device"):
        train()
    assert stopped == [True]
