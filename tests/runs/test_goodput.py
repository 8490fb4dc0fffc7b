"""Goodput by hand."""

import pytest

from pipeline.runs.goodput import goodput
from pipeline.types import Event


def told(*steps: tuple[float, int]) -> list[Event]:
    return [{"time": time, "step": step, "total": 100} for time, step in steps]


def test_an_undisturbed_run_loses_nothing() -> None:
    assert goodput(told((10, 0), (20, 50), (30, 99))) == {"run/goodput": 1.0, "run/restarts": 0.0}
    assert goodput([]) == {"run/goodput": 1.0, "run/restarts": 0.0}


def test_a_failure_costs_the_time_until_the_first_new_step() -> None:
    events: list[Event] = [
        *told((0, 0), (10, 20)),
        {"time": 12, "step": 10, "interrupted": "failure"},
        *told((30, 11), (34, 20), (35, 21), (100, 99)),
    ]
    assert goodput(events) == {
        "run/goodput": pytest.approx(0.75),
        "run/restarts": 1.0,
        "run/lost_s/failure": pytest.approx(25),
    }


def test_a_failure_during_recovery_belongs_to_the_first() -> None:
    events: list[Event] = [
        *told((0, 0), (10, 20)),
        {"time": 11, "step": 10, "interrupted": "failure"},
        {"time": 21, "step": 10, "interrupted": "room"},
        *told((50, 21), (100, 99)),
    ]
    assert goodput(events) == {
        "run/goodput": pytest.approx(0.6),
        "run/restarts": 2.0,
        "run/lost_s/failure": pytest.approx(40),
    }


def test_a_wait_before_the_first_step_is_lost_and_measured_from_its_own_start() -> None:
    start = 1.79e9
    waiting: list[Event] = [
        {"time": start, "step": 0, "interrupted": "room"},
        {"time": start + 5, "step": 0, "interrupted": "room"},
    ]
    assert goodput(waiting) == {"run/goodput": 1.0, "run/restarts": 2.0}
    assert goodput([*waiting, *told((start + 20, 0))]) == {
        "run/goodput": 0.0,
        "run/restarts": 2.0,
        "run/lost_s/room": pytest.approx(20),
    }
    assert goodput([*waiting, *told((start + 20, 0), (start + 100, 99))]) == {
        "run/goodput": pytest.approx(0.8),
        "run/restarts": 2.0,
        "run/lost_s/room": pytest.approx(20),
    }


def test_a_failure_that_took_no_time_lost_nothing() -> None:
    assert goodput([{"time": 7, "step": 0, "interrupted": "failure"}, *told((7, 0))]) == {
        "run/goodput": 1.0,
        "run/restarts": 1.0,
        "run/lost_s/failure": 0.0,
    }
