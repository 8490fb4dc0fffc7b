"""Render docs/faults.md from the faults and their trials."""

from collections.abc import Sequence
from statistics import median

from benchmarks.faults.attacks import Attack
from benchmarks.faults.fault import Fault, Trial

HEAD = """# Faults

Faults that tests and measurements inject, with the expected behaviour and the observed recovery.

```
python -m benchmarks.faults kill_one_process --times 50
python -m benchmarks.faults
```

The first command injects a fault and measures. The second writes this page from `benchmarks/faults/results/`.

- *held*: the number of trials in which the expected behaviour was observed.
- *recovery*: seconds from the fault to the first new optimiser step, median and longest, with the start of a new
  process where one is needed.
- *steps lost*: the greatest number of optimiser steps that were repeated.
- *goodput*: the part of training time spent on new steps, median and least. Every run logs its own as `run/goodput`,
  with the seconds lost to each cause (`run/lost_s/…`).

Measured on two cores. The results hold the load average of each trial (`load`; a run adds one, a group two to three).
Recovery is mostly the start of Python processes, which a busy machine delays. `benchmarks/faults/__init__.py`
explains how a fault is added.

"""
COLUMNS = "| # | fault | expected | held | recovery p50 / max | steps lost | goodput | tests |\n|" + " --- |" * 8 + "\n"
HOSTILE = """
## Attacks

The default of each surface, and the tests that fail without it.

| surface | default | tests |
| --- | --- | --- |
"""


def render(faults: Sequence[Fault], attacks: Sequence[Attack]) -> str:
    """The page in Markdown."""
    rows = "".join(_row(fault, fault.trials()) for fault in sorted(faults, key=lambda fault: fault.row))
    notes = "".join(f"\n{fault.row}. {fault.title}: {fault.by_hand}\n" for fault in faults if fault.by_hand)
    by_hand = f"\n## Observed by hand\n{notes}" if notes else ""
    hostile = "".join(f"| {attack.surface} | {attack.default} | {_links(attack.tests)} |\n" for attack in attacks)
    return HEAD + COLUMNS + rows + by_hand + HOSTILE + hostile


def _row(fault: Fault, trials: Sequence[Trial]) -> str:
    seconds = sorted(trial.recovery_s for trial in trials if trial.recovery_s is not None)
    lost = [trial.steps_lost for trial in trials if trial.steps_lost is not None]
    goodputs = sorted(trial.goodput for trial in trials if trial.goodput is not None)
    cells = [
        str(fault.row),
        fault.title,
        fault.expected,
        f"{sum(trial.held for trial in trials)} of {len(trials)}" if trials else "",
        f"{median(seconds):.1f} / {seconds[-1]:.1f} s" if seconds else "",
        str(max(lost)) if lost else "",
        f"{100 * median(goodputs):.1f} / {100 * goodputs[0]:.1f} %" if goodputs else "",
        _links(fault.tests) or "by hand",
    ]
    return f"| {' | '.join(cells)} |\n"


def _links(tests: Sequence[str]) -> str:
    return "<br>".join(_short(test) for test in tests)


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{file})"
