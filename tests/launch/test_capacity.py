"""Requests to an autoscaler: their sum over runs, their end, and nodes that come and go with an elastic run."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.launch import capacity
from tests.launch.nodes import SAMPLE, autoscaled, job
from tests.launch.test_workers import starts

CPU = {"CPU": 1.0}


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the autoscaler is asked for, the last request last."""
    made: list[Any] = []
    monkeypatch.setattr("ray.autoscaler.sdk.request_resources", lambda bundles: made.append(bundles))
    return made


def test_runs_are_added_up_and_one_that_ends_takes_back_its_own_request_only(requested: list[Any]) -> None:
    actor = capacity.CapacityActor(check_s=1e6)
    actor.ask("a", [CPU] * 4)
    actor.ask("b", [{"CPU": 2.0, "GPU": 1.0}])
    actor.ask("a", [CPU] * 4)  # repeated, not added
    assert requested[-1] == [*[CPU] * 4, {"CPU": 2.0, "GPU": 1.0}]
    actor.withdraw("a")
    assert requested[-1] == [{"CPU": 2.0, "GPU": 1.0}]
    actor.withdraw("b")
    assert requested[-1] == []


def test_a_request_that_is_not_repeated_expires(requested: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    actor = capacity.CapacityActor(check_s=1e6)
    actor.ask("killed", [CPU])
    actor.ask("alive", [CPU])
    now += capacity.EXPIRE_S - 1
    actor.ask("alive", [CPU])
    now += 2
    actor.expire()
    assert requested[-1] == [CPU]
    assert list(actor.asked) == ["alive"]


@pytest.mark.slow
def test_an_elastic_run_grows_to_its_most_by_an_autoscaler_and_its_nodes_are_released(project: Path) -> None:
    with autoscaled(1, 4) as cluster:
        words = ["trainer.shards=4", "cluster=ray", "cluster.workers=[1,4]", "trainer.max_epochs=300"]
        with job(project, "train", *SAMPLE, *words, RAY_ADDRESS=cluster.address) as running:
            running.until(lambda events: any(event["workers"] == 4 for event in starts(events)))
            running.until(lambda events: "total" in events[-1])
            assert cluster.size() == 4
            running.process.terminate()
            assert running.end() == 75, running.output()
        cluster.until_size(1)
