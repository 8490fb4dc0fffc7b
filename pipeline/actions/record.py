"""The results that go into git.

`metrics/` holds what a re-run must repeat, `results/` when, where and how long, `plots/` what a reader wants to see of
both: learning curves, counts of answers, drawn images, a few kilobytes a run, so that a fresh clone can make the page
of results. What shows samples of the data, `plots/errors/`, stays out: no part of a data set is in git.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from pipeline import processor, requires, spool
from pipeline.actions import runs
from pipeline.errors import DataError

SHEETS = 8  # of a generator's epochs, evenly chosen


def model(summary: dict[str, Any], root: Path, name: str | None = None) -> None:
    """Keep a finished run's model under `models/`, its circumstances under `results/`, as EXPERIMENT-SEED or `name`."""
    record = runs.read(Path(summary["run_dir"]))
    stem = name or f"{record['experiment']}-{record['seed']}"
    target, run_dir = root / "models" / stem, Path(summary["run_dir"])
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(run_dir / "model", target)
    curves(run_dir, summary["metrics"], stem, root)
    keys = (
        "name",
        "run_id",
        "commit",
        "dirty",
        "command",
        "lock_digest",
        "cpu_s",
        "wall_s",
        "seconds",
        "steps",
        "workers",
        "dvc_stage",
    )
    facts = {"hardware": processor.describe(), "built_on": requires.built_on(runs.config(run_dir))}
    _write(root / "results" / f"{stem}.json", {key: record.get(key) for key in keys} | facts)


def curves(run_dir: Path, scores: dict[str, float], stem: str, root: Path) -> None:
    """Keep a run's metrics, a row an epoch, under `plots/curves/`, and what a generator drew under `plots/samples/`.

    A model that was not trained by epochs has one row, of its scores but for those on test: DVC draws no empty list.
    """
    from pipeline.report import details

    rows: dict[int, dict[str, float]] = {}
    for event in spool.read(run_dir)[0]:
        if metrics := event.get("metrics"):
            row = rows.setdefault(event["epoch"] + 1, {"epoch": event["epoch"] + 1})
            row |= {name: round(value, 5) for name, value in metrics.items()}
    once = {name: round(value, 5) for name, value in scores.items() if not name.startswith("test/")}
    content = [rows[epoch] for epoch in sorted(rows)] or [{"epoch": 0, **once}]
    _write(root / "plots/curves" / f"{stem}.json", content)
    if sheets := sorted((run_dir / "samples").glob("epoch-*.npy")):
        import numpy as np

        chosen = dict.fromkeys(round(place) for place in np.linspace(0, len(sheets) - 1, SHEETS))
        images = [np.load(sheets[place]) for place in chosen]
        path = root / "plots/samples" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(details.sheet([each[:: max(1, len(each) // 10)][:10] for each in images]))


def metrics(result: dict[str, Any], details: dict[str, Any], root: Path, name: str | None = None) -> None:
    """Keep an evaluation under `metrics/`, and what stands behind it under `plots/tests/` and `plots/errors/`."""
    from pipeline.report.details import SAMPLES

    stem = name or f"{result['experiment']}-{result['seed']}"
    _write(root / "metrics" / f"{stem}.json", result)
    for folder, shown in (("tests", details.keys() - SAMPLES), ("errors", details.keys() & SAMPLES)):
        _write(root / "plots" / folder / f"{stem}.json", {key: details[key] for key in sorted(shown)}, indent=None)


def committed_results(root: Path) -> list[dict[str, Any]]:
    """Each result with its circumstances, in the order of experiments and seeds.

    Raises: DataError if there are none, or one lacks its other half.
    """
    entries = []
    for path in sorted((root / "metrics").glob("*-*.json")):  # not what was kept as `try`
        other = root / "results" / path.name
        try:
            entries.append({**json.loads(other.read_text()), **json.loads(path.read_text())})
        except (OSError, ValueError) as error:
            raise DataError(f"{path} and {other}: not a pair of results ({error}). `dvc repro` makes both.") from error
    if not entries:
        raise DataError(f"{root / 'metrics'}: no results yet. `dvc repro` makes them.")
    return entries


def _write(path: Path, content: Any, indent: int | None = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=indent, sort_keys=True) + "\n")
    aside.replace(path)
