"""Replays of committed results: which of their steps have been trained again, and with what verdict.

`results/replays.jsonl`, which git holds, has a line for each replay of an interval.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.runs import results
from pipeline.runs.trail import Verdict

FILE = "replays.jsonl"


@dataclass(frozen=True, slots=True)
class Replay:
    """The steps after `start` up to `end` of a committed result, trained again.

    `weights` is the digest of the result's weights: a replay says nothing of a result that was recorded anew.
    """

    run: str  # EXPERIMENT-SEED
    weights: str
    start: int
    end: int
    verdict: Verdict
    commit: str
    processor: str


def path_of(root: Path) -> Path:
    """Where the replays are."""
    return root / results.RESULTS / FILE


def add(replay: Replay, root: Path) -> bool:
    """Append a replay to the file if it is of a committed result. Returns: whether it is."""
    committed = results.find(replay.run, root)
    if not committed or committed["weights_digest"] != replay.weights:
        return False
    with path_of(root).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(replay)) + "\n")
    return True


def read(root: Path) -> list[Replay]:
    """All replays; none without a file.

    Raises: DataError if a line is not a replay.
    """
    path = path_of(root)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Replay(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}:{number}: not a replay ({error}). Remove the line.") from error
    return found


def of(result: results.Result, replays: Iterable[Replay]) -> list[Replay]:
    """The replays of a committed result."""
    name = f"{result['experiment']}-{result['seed']}"
    return [replay for replay in replays if (replay.run, replay.weights) == (name, result["weights_digest"])]


def share(replays: Sequence[Replay], steps: int) -> float:
    """The share of a training's steps that were replayed; steps that were replayed twice count once."""
    covered = reached = 0
    for replay in sorted(replays, key=lambda replay: replay.start):
        covered += max(0, replay.end - max(reached, replay.start))
        reached = max(reached, replay.end)
    return covered / steps
