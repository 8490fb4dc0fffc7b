"""The pages of results, from what is recorded: `docs/results.md` and one HTML file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.actions.record import committed_results
from pipeline.errors import DataError
from pipeline.files import atomic_write

PAGE = Path("reports/index.html")


def write(root: Path, names: Sequence[str] = (), page: Path = PAGE) -> list[Path]:
    """Write the pages of all recorded results; of some experiments, the HTML page alone.

    Raises: DataError if there are no results, or none of an experiment that was asked for.
    """
    from pipeline import claims, report
    from pipeline.report import charts
    from pipeline.report import page as pages

    entries = committed_results(root)
    if lacking := set(names) - {entry["experiment"] for entry in entries}:
        raise DataError(f"{root / 'metrics'}: no results of {', '.join(sorted(lacking))}. `dvc repro` makes them.")
    rows = [] if names else claims.table(entries)
    entries = [entry for entry in entries if not names or entry["experiment"] in names]
    found = {name: recorded(name, group, root) for name, group in report.grouped(entries).items()}
    target = _put(root / page, pages.html(entries, rows, found))
    if names:
        return [target]
    report.activations(_parent(root / "docs/images/activations.png"))
    _put(root / "docs/images/costs.svg", charts.alone(charts.costs(pages.compared(entries))))
    return [target, _put(root / "docs/results.md", report.results_markdown(entries, claims.markdown(rows)))]


def recorded(name: str, entries: Sequence[dict[str, Any]], root: Path) -> Any:
    """What `plots/` holds of an experiment, as far as it is of the results at hand."""
    from pipeline.report.page import Recorded

    found = Recorded()
    for entry in entries:
        stem = f"{name}-{entry['seed']}"
        if rows := _read(root / f"plots/curves/{stem}.json"):
            found.curves[entry["seed"]] = rows
    stem = f"{name}-{entries[0]['seed']}"
    found.details = _read(root / f"plots/tests/{stem}.json")
    found.errors = _read(root / f"plots/errors/{stem}.json")
    samples = root / f"plots/samples/{stem}.png"
    found.samples = samples.read_bytes() if samples.is_file() else None
    return found


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}). `dvc repro` makes it anew.") from error


def _put(path: Path, text: str) -> Path:
    atomic_write(_parent(path), text)
    return path


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
