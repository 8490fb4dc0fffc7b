"""The trained models that pages show, found by experiment, and the runs; no path comes from a request."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.errors import CheckpointError


def records(root: Path) -> list[dict[str, Any]]:
    """What is recorded of each run, newest first; a run whose process is gone is `interrupted`."""
    found = []
    for path in (root / "runs").glob("*/run.json"):
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if record["status"] == "running" and not Path(f"/proc/{record['pid']}").exists() and os.name == "posix":
            record["status"] = "interrupted"
        found.append({**record, "run_dir": str(path.parent)})
    return sorted(found, key=lambda record: record["started"], reverse=True)


def folder(root: Path, experiment: str) -> Path | None:
    """The newest finished run's model of an experiment, else what `--record` kept; None if it was not trained yet."""
    finished = [
        Path(record["run_dir"]) / "model"
        for record in records(root)
        if record["experiment"] == experiment and record["status"] == "finished"
    ]
    kept = sorted((root / "models").glob(f"{experiment}-[0-9]*"))
    return next((place for place in (*finished, *kept) if (place / checkpoint.MANIFEST).is_file()), None)


def experiments(root: Path, data: str) -> list[str]:
    """The trained experiments whose data is of one class, such as `pipeline.data.text.TextData`, by name."""
    there = {record["experiment"] for record in records(root)}
    there |= {path.name.rpartition("-")[0] for path in (root / "models").glob("*-[0-9]*")}
    return sorted(name for name in there if (place := folder(root, name)) and _data(place) == data)


def _data(place: Path) -> str | None:
    try:
        found: str = json.loads((place / "config.json").read_text())["data"]["_target_"]
    except (OSError, ValueError, LookupError):
        return None
    return found


def model(root: Path, experiment: str) -> Any | None:
    """An experiment's trained model, ready to answer; None if it was not trained yet, or is damaged."""
    place = folder(root, experiment)
    if place is None:
        return None
    try:
        return _load(place, (place / checkpoint.MANIFEST).stat().st_mtime_ns)
    except CheckpointError:
        return None


@lru_cache(maxsize=16)
def _load(place: Path, changed: int) -> Any:
    from pipeline.ensemble import load

    return load(place)


def missing(experiment: str) -> dict[str, str]:
    """What a page shows in the place of a model: the command that trains it."""
    return {"experiment": experiment, "missing": f"pipeline train experiment={experiment}"}
