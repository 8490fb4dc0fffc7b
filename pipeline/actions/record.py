"""The results that go into git: `metrics/` holds what a re-run must repeat, `results/` when, where and how long."""

import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from pipeline.actions import runs
from pipeline.errors import DataError


def model(summary: dict[str, Any], root: Path) -> None:
    """Keep a finished run's model under `models/` and its circumstances under `results/`."""
    record = runs.read(Path(summary["run_dir"]))
    stem = f"{record['experiment']}-{record['seed']}"
    target = root / "models" / stem
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(Path(summary["run_dir"]) / "model", target)
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
    )
    _write(root / "results" / f"{stem}.json", {key: record[key] for key in keys} | {"hardware": hardware()})


def metrics(result: dict[str, Any], root: Path) -> None:
    """Keep an evaluation under `metrics/`."""
    _write(root / "metrics" / f"{result['experiment']}-{result['seed']}.json", result)


def committed_results(root: Path) -> list[dict[str, Any]]:
    """Each result with its circumstances, in the order of experiments and seeds.

    Raises: DataError if there are none, or one lacks its other half.
    """
    entries = []
    for path in sorted((root / "metrics").glob("*.json")):
        other = root / "results" / path.name
        try:
            entries.append({**json.loads(other.read_text()), **json.loads(path.read_text())})
        except (OSError, ValueError) as error:
            raise DataError(f"{path} and {other}: not a pair of results ({error}). `dvc repro` makes both.") from error
    if not entries:
        raise DataError(f"{root / 'metrics'}: no results yet. `dvc repro` makes them.")
    return entries


def results_page(root: Path) -> Path:
    """Write docs/results.md from the committed results."""
    from pipeline import claims, report

    page = root / "docs/results.md"
    page.parent.mkdir(exist_ok=True)
    entries = committed_results(root)
    page.write_text(report.results_markdown(entries, claims.markdown(claims.table(entries))), encoding="utf-8")
    (page.parent / "images").mkdir(exist_ok=True)
    report.activations(page.parent / "images/activations.png")
    return page


def hardware() -> str:
    """The processor and how many of its cores this machine has."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    aside.replace(path)
