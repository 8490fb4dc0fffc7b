"""docs/faults.md, rendered from the faults and what was measured of them."""

from collections.abc import Sequence
from statistics import median

from benchmarks.faults.fault import Fault, Trial

HEAD = """# Faults

What goes wrong on purpose in this project's tests and measurements, and what happens then. This page is written by
`python -m benchmarks.faults`, from the files in `benchmarks/faults/results/`. How a fault is added stands in
`benchmarks/faults/__init__.py`.

- *held*: in how many of the trials the expected came true;
- *recovery*: from the fault to the first optimiser step that was not done before, median and longest, with the start of
  a new process where one is needed;
- *steps lost*: optimiser steps that had to be done again, at most.

"""
COLUMNS = "| # | fault | expected | held | recovery p50 / max | steps lost | tests |\n|" + " --- |" * 7 + "\n"


def render(faults: Sequence[Fault]) -> str:
    """The page, in Markdown."""
    rows = "".join(_row(fault, fault.trials()) for fault in sorted(faults, key=lambda fault: fault.row))
    notes = "".join(f"\n{fault.row}. {fault.title}: {fault.by_hand}\n" for fault in faults if fault.by_hand)
    return HEAD + COLUMNS + rows + (f"\n## Observed by hand\n{notes}" if notes else "")


def _row(fault: Fault, trials: Sequence[Trial]) -> str:
    seconds = sorted(trial.recovery_s for trial in trials if trial.recovery_s is not None)
    lost = [trial.steps_lost for trial in trials if trial.steps_lost is not None]
    cells = [
        str(fault.row),
        fault.title,
        fault.expected,
        f"{sum(trial.held for trial in trials)} of {len(trials)}" if trials else "",
        f"{median(seconds):.1f} / {seconds[-1]:.1f} s" if seconds else "",
        str(max(lost)) if lost else "",
        "<br>".join(_short(test) for test in fault.tests) or ("by hand" if fault.by_hand else "none yet"),
    ]
    return f"| {' | '.join(cells)} |\n"


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{file})"
