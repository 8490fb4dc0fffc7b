"""The event log between training and those who watch it."""

import time
from pathlib import Path
from typing import Any

from pipeline.runs import events as run_events


def test_events_come_back_in_order_from_where_reading_stopped(tmp_path: Path) -> None:
    log = run_events.EventLog(tmp_path)
    log.append(step=1)
    first, at = run_events.read(tmp_path)
    log.append(step=2, metrics={"val/loss": 0.5})
    second, _ = run_events.read(tmp_path, at)
    log.close()
    assert [event["step"] for event in first] == [1]
    assert second[0]["metrics"] == {"val/loss": 0.5}


def test_a_torn_last_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / run_events.NAME).write_bytes(b'{"step": 1}\n{"ste')
    events, at = run_events.read(tmp_path)
    assert [event["step"] for event in events] == [1]
    with (tmp_path / run_events.NAME).open("ab") as file:
        file.write(b'p": 2}\n')
    assert run_events.read(tmp_path, at)[0] == [{"step": 2}]


def test_a_follower_sees_every_event_once_and_the_last_ones_too(tmp_path: Path) -> None:
    seen: list[Any] = []
    with run_events.follow(tmp_path, seen.extend, every_s=0.01):
        log = run_events.EventLog(tmp_path)
        for step in range(50):
            log.append(step=step)
            if step % 10 == 0:
                time.sleep(0.02)
    log.close()
    assert [event["step"] for event in seen] == list(range(50))


def test_nothing_is_read_where_nothing_was_written(tmp_path: Path) -> None:
    assert run_events.read(tmp_path) == ([], 0)


def test_a_line_torn_by_a_crash_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    (tmp_path / run_events.NAME).write_bytes(b'{"step": 1}\n{"ste')
    log = run_events.EventLog(tmp_path)
    log.append(step=2)
    log.close()
    assert [event["step"] for event in run_events.read(tmp_path)[0]] == [1, 2]


def test_the_progress_display_sees_what_training_says_and_not_what_is_for_mlflow(tmp_path: Path) -> None:
    log = run_events.EventLog(tmp_path)
    log.append(status="FINISHED")
    log.append(step=1)
    log.close()
    assert [event["step"] for event in run_events.read(tmp_path)[0]] == [1]
    assert len(list(run_events.scan(tmp_path))) == 2
