"""Replays of committed results: noted for the weights that were replayed, and counted once a step."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.report import replayed
from pipeline.runs import replays, results
from pipeline.runs.replays import Replay
from pipeline.runs.results import Result

ONE = Replay("net-0", "w" * 64, 100, 200, "identical", "c" * 40, "EPYC")
RESULT: Result = {
    "experiment": "net",
    "seed": 0,
    "metrics": {},
    "dataset": {"name": "x", "digest": "d", "rows": {}},
    "config_digest": "o",
    "weights_digest": "w" * 64,
    "steps": 1000,
}


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    results.path_of("net", tmp_path).write_text(json.dumps({"experiment": "net", "runs": [RESULT]}))
    return tmp_path


def test_only_replays_of_a_committed_result_are_added(committed: Path) -> None:
    assert replays.read(committed) == []
    assert replays.add(ONE, committed)
    assert not replays.add(replace(ONE, weights="of another training"), committed)
    assert not replays.add(replace(ONE, run="net-1"), committed)
    later = replace(ONE, start=200, end=300)
    assert replays.add(later, committed)
    assert replays.read(committed) == [ONE, later]


def test_a_result_that_is_recorded_anew_has_no_replays_yet() -> None:
    assert replays.of(RESULT, [ONE, replace(ONE, run="net-1")]) == [ONE]
    assert replays.of({**RESULT, "weights_digest": "new"}, [ONE]) == []


@pytest.mark.parametrize(
    ("intervals", "share"),
    [([], 0), ([(0, 100)], 0.1), ([(0, 100), (0, 100)], 0.1), ([(500, 700), (0, 300), (200, 400)], 0.6),
     ([(0, 500), (100, 200)], 0.5)],
)  # fmt: skip
def test_steps_that_were_replayed_twice_count_once(intervals: list[tuple[int, int]], share: float) -> None:
    found = [replace(ONE, start=start, end=end) for start, end in intervals]
    assert replays.share(found, 1000) == pytest.approx(share)


def test_the_page_shows_the_share_by_verdict_and_nothing_without_replays() -> None:
    other = replace(ONE, start=0, end=10, verdict="equal", processor="Xeon")
    row = replayed.markdown([RESULT], [ONE, other])[-2]
    assert row == "| net-0 | 2 | 1,000 | 10 % | 1 % |  | EPYC, Xeon |"
    assert replayed.markdown([RESULT], [replace(ONE, run="net-1")]) == []


def test_a_line_that_is_not_a_replay_is_named(committed: Path) -> None:
    replays.add(ONE, committed)
    with replays.path_of(committed).open("a") as file:
        file.write('{"run": "net-0"}\n')
    with pytest.raises(DataError, match=r"replays\.jsonl:2: not a replay"):
        replays.read(committed)
