"""Requests to an autoscaler: their sum over runs, their end, and nodes that come and go with an elastic run."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.launch import capacity
from pipeline.launch.head import HeadLost
from tests.launch.nodes import SAMPLE, autoscaled, job
from tests.launch.test_workers import starts

CPU = {"CPU": 1.0}


class Coordinator:
    """In the place of Ray's: what it was asked for."""

    def __init__(self, requester: str):
        self.calls: list[Any] = []

    def request_resources(self, resources: list[Any], expire_after_s: float) -> None:
        assert expire_after_s > 2 * capacity.REPEAT_S
        self.calls.append(len(resources))

    def cancel_request(self) -> None:
        self.calls.append("cancelled")


def test_a_request_is_repeated_before_it_expires_changed_at_once_and_withdrawn_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(capacity, "DefaultAutoscalingCoordinator", Coordinator)
    monkeypatch.setattr("time.monotonic", lambda: now)
    with capacity.CapacityRequest("run", CPU, 4) as request:
        request.ask(4)
        request.ask(4)
        request.ask(3)  # a group of one worker has started
        now += capacity.REPEAT_S + 1
        request.ask(3)
        request.ask(0)  # a group of four has
        request.ask(0)
        request.ask(2)
    calls = cast(Any, request.coordinator).calls
    assert calls == [4, 3, 3, "cancelled", 2, "cancelled"]


@pytest.mark.parametrize(("error", "calls"), [(KeyboardInterrupt(), [1, "cancelled"]), (HeadLost(75), [1])])
def test_an_interrupted_run_withdraws_its_request_unless_the_head_is_lost(
    error: BaseException, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "DefaultAutoscalingCoordinator", Coordinator)
    with ExitStack() as stack:
        request = stack.enter_context(capacity.CapacityRequest("run", CPU, 2))
        request.ask(1)
        leave = stack.pop_all()
    leave.__exit__(type(error), error, None)
    assert cast(Any, request.coordinator).calls == calls


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
