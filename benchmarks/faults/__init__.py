"""Injected faults and their page, docs/faults.md.

`python -m benchmarks.faults` writes the page from earlier measurements; with names it takes those measurements
first: `python -m benchmarks.faults kill_one_process --times 50`. Each trial is saved as it ends
(`results/NAME.json`), so an interrupted measurement resumes; `--again` starts it over.

To add a fault: a `Fault` in the list of its module (`process.py`, `data.py`, `cluster.py`, `tracking.py`) with the
tests that inject it and, where a figure is wanted, a function `measure(project, rng) -> Trial` that injects it once.
"""
