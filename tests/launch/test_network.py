"""Machines of their own on a network of their own: no folder is shared, one is killed, the link to one is cut."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import store
from pipeline.runs import checkpoints
from pipeline.types import Event
from tests.launch.machines import impossible, machines
from tests.launch.nodes import job

MIRROR = os.environ.get("PIPELINE_DATA_MIRROR")
DATA = "mnist" if MIRROR else "mnist-5k"  # the sample comes with a package: it does not travel
WORDS = [
    *(f"data={DATA}", "model=mlp", "data.batch_size=200"),
    *("trainer.max_epochs=1000", "trainer.checkpoint_every_steps=20", "trainer.shards=2"),
]


def sizes(events: list[Event]) -> list[int]:
    """How many workers each group had."""
    return [event["workers"] for event in events if "workers" in event]


def until_it_goes_on(running: Any, groups: list[int]) -> Event:
    """The first step of the newest of these groups that was not done before."""

    def found(events: list[Event]) -> Event | None:
        if sizes(events) != groups:
            return None
        began = [index for index, event in enumerate(events) if "workers" in event][-1]
        done = max((event["step"] for event in events[:began] if "total" in event), default=0)
        return next((event for event in events[began:] if "total" in event and event["step"] > done), None)

    step: Event = running.until(found)
    return step


@pytest.mark.slow
def test_a_run_on_machines_that_share_no_folder_outlives_a_dead_one_and_a_cut_link(project: Path) -> None:
    if why := impossible():
        pytest.skip(why)
    with machines(hidden=project, count=2) as cluster:
        words = [*WORDS, "cluster=ray", f"cluster.address={cluster.address}", "cluster.workers=[1,2]"]
        words += [f"data.mirror={MIRROR}"] if MIRROR else []
        with job(project, "train", *words, prefix=cluster.inside(1), **cluster.environment) as running:
            running.until_step(60)
            if MIRROR:
                for number in (2, 3):
                    [kept] = cluster.cache(number).glob(f"lecture-pipeline/data/{store.digest(DATA)}")
                    store.verify(DATA, kept)
            cluster.kill(3)
            until_it_goes_on(running, [2, 1])
            cluster.start(3)
            until_it_goes_on(running, [2, 1, 2])

            cluster.link(2, "down")
            cut = time.time()
            first = until_it_goes_on(running, [2, 1, 2, 1])
            assert first["time"] - cut < 180
            cluster.link(2, "up")
            running.until_step(first["step"] + 100)
            assert sizes(running.events()) == [2, 1, 2, 1]
            after = [event["step"] for event in running.events() if "total" in event and event["time"] >= first["time"]]
            assert after == sorted(set(after))  # whoever was cut off does not get in between

            running.process.send_signal(signal.SIGTERM)
            assert running.end() == 75, running.output()
            assert running.run_dir
            newest = checkpoints.newest(running.run_dir / "checkpoints")  # all of them are on the driver's machine
            assert newest
            assert checkpoints.verify(newest)["step"] >= after[-1]
