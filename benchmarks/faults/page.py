"""docs/faults.md, rendered from the faults and what was measured of them."""

from collections.abc import Sequence
from statistics import median

from benchmarks.faults.attacks import Attack
from benchmarks.faults.fault import Fault, Trial

HEAD = """# Faults

What goes wrong on purpose in this project's tests and measurements, and what happens then. This page is written by
`python -m benchmarks.faults`, from the files in `benchmarks/faults/results/`. How a fault is added stands in
`benchmarks/faults/__init__.py`.

- *held*: in how many of the trials the expected came true;
- *recovery*: from the fault to the first optimiser step that was not done before, median and longest, with the start of
  a new process where one is needed;
- *steps lost*: optimiser steps that had to be done again, at most;
- *goodput*: the share of training time that went into steps not done before, median and least. Every run logs its own
  as `run/goodput`, with the seconds lost to each cause (`run/lost_s/…`).

Measured on two cores. How busy they were otherwise stands beside each trial in the results (`load`; a run makes one
of it, a group two to three): recovery is mostly the start of Python processes, which a busy machine delays.

"""
COLUMNS = "| # | fault | expected | held | recovery p50 / max | steps lost | goodput | tests |\n|" + " --- |" * 8 + "\n"
HOSTILE = """
## Attacks

What each surface does by default, and the tests that fail if it does not.

| surface | default | tests |
| --- | --- | --- |
"""


def render(faults: Sequence[Fault], attacks: Sequence[Attack]) -> str:
    """The page, in Markdown."""
    rows = "".join(_row(fault, fault.trials()) for fault in sorted(faults, key=lambda fault: fault.row))
    notes = "".join(f"\n{fault.row}. {fault.title}: {fault.by_hand}\n" for fault in faults if fault.by_hand)
    by_hand = f"\n## Observed by hand\n{notes}" if notes else ""
    hostile = "".join(f"| {attack.surface} | {attack.default} | {_links(attack.tests)} |\n" for attack in attacks)
    return HEAD + COLUMNS + rows + by_hand + HOSTILE + hostile


def _row(fault: Fault, trials: Sequence[Trial]) -> str:
    seconds = sorted(trial.recovery_s for trial in trials if trial.recovery_s is not None)
    lost = [trial.steps_lost for trial in trials if trial.steps_lost is not None]
    shares = sorted(trial.goodput for trial in trials if trial.goodput is not None)
    cells = [
        str(fault.row),
        fault.title,
        fault.expected,
        f"{sum(trial.held for trial in trials)} of {len(trials)}" if trials else "",
        f"{median(seconds):.1f} / {seconds[-1]:.1f} s" if seconds else "",
        str(max(lost)) if lost else "",
        f"{100 * median(shares):.1f} / {100 * shares[0]:.1f} %" if shares else "",
        _links(fault.tests) or "by hand",
    ]
    return f"| {' | '.join(cells)} |\n"


def _links(tests: Sequence[str]) -> str:
    return "<br>".join(_short(test) for test in tests)


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{file})"
