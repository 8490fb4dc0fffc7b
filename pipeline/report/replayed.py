"""The share of each result's steps that have been replayed, for the page of results."""

from collections.abc import Sequence

from pipeline.runs import recorded, replays
from pipeline.runs.replays import Replay
from pipeline.runs.results import Result


def markdown(entries: Sequence[Result], found: Sequence[Replay]) -> list[str]:
    """A table of the results with replays; no lines if there are none."""
    lines = [
        "## Replayed",
        "",
        "Shares of a training's steps that were trained again from a stored checkpoint with the code of its commit,",
        "by verdict ([how](how-to/reproduce.md#check-a-result-in-minutes)).",
        "",
        "| result | replays | steps | identical | equal | different | processors |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = [_row(entry, own) for entry in entries if (own := replays.of(entry, found))]
    return [*lines, *rows, ""] if rows else []


def _row(entry: Result, own: Sequence[Replay]) -> str:
    name = f"{entry['experiment']}-{entry['seed']}"
    steps = recorded.of_result(name, entry).steps
    shares = []
    for verdict in ("identical", "equal", "different"):
        share = replays.share([replay for replay in own if replay.verdict == verdict], steps)
        shares.append(f"{100 * share:.2g} %" if share else "")
    processors = ", ".join(sorted({replay.processor for replay in own}))
    return f"| {name} | {len(own)} | {steps:,} | {' | '.join(shares)} | {processors} |"
