"""Faults, injected on purpose, and the page that tells what they did: docs/faults.md.

`python -m benchmarks.faults` writes the page from what was measured before; with names of measurements it takes those
first: `python -m benchmarks.faults kill_one_process --times 50`. Each trial is saved as it ends
(`results/NAME.json`), so an interrupted measurement goes on where it stopped; `--again` starts it over.

To add a fault: a `Fault` in the list of its module (`process.py`, `data.py`, `cluster.py`, `tracking.py`) with the
tests that inject it and, where a figure is wanted, a function `measure(project, rng) -> Trial` that injects it once.
"""
