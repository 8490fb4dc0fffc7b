"""Repeated work beside the main thread."""

import threading

from pipeline.runs.repeat import repeating


def test_an_act_is_repeated_while_the_block_runs_and_not_after_it() -> None:
    calls: list[str] = []
    third = threading.Event()

    def act() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 3:
            third.set()

    with repeating(act, 0.001, "worker"):
        assert third.wait(60)
    count = len(calls)
    assert set(calls) == {"worker"}
    assert "worker" not in {thread.name for thread in threading.enumerate()}
    assert len(calls) == count


def test_the_end_of_the_block_waits_for_the_act_that_runs() -> None:
    begun, ended = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        threading.Event().wait(0.1)
        ended.set()

    with repeating(act, 0.001, "worker"):
        assert begun.wait(60)
    assert ended.is_set()
