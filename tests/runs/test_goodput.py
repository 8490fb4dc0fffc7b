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
