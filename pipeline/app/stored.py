"""The trained models that pages show, found by experiment, and the runs; no path comes from a request."""

import json
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.config import load_config, resolve
from pipeline.config.aliases import upgrade
from pipeline.errors import CheckpointError, LaunchError, PipelineError
from pipeline.files import read_folder
from pipeline.runs import checkpoints
from pipeline.runs import records as run_records

CHAMPIONS_S = 30.0  # for which MLflow is not asked again
_lock = threading.Lock()
_champions: dict[tuple[Path, str], tuple[float, tuple[str, str] | None]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is ready to answer, its folder, and where it comes from, in words."""

    predictor: Any
    place: Path
    source: str


def records(root: Path) -> list[dict[str, Any]]:
    """What is recorded of each run, newest first; a run whose process is gone is `interrupted`."""
    found = []
    for path in (root / "runs").glob("*/run.json"):
        try:
            found.append(run_records.read(path.parent))
        except LaunchError:
            continue
    return sorted(found, key=lambda record: record["started"], reverse=True)


def model(root: Path, experiment: str) -> Found | None:
    """An experiment's trained model, the first that is whole; None if it was not trained yet.

    That is the registry's champion if it is of this experiment or a variant of it (`mnist_cnn_best` is one of
    `mnist_cnn`), else the newest finished run's, else what `--record` kept.
    """
    for place, source in _places(root, experiment):
        with suppress(CheckpointError, FileNotFoundError):
            changed = read_folder(place, lambda now: (now / checkpoints.MANIFEST).stat().st_mtime_ns)
            return Found(_load(place, changed), place, source)
    return None


def _places(root: Path, experiment: str) -> list[tuple[Path, str]]:
    variants = [
        record
        for record in records(root)
        if record["status"] == "finished" and f"{record['experiment']}_".startswith(f"{experiment}_")
    ]
    found = []
    for data in dict.fromkeys(record["data"] for record in variants if record.get("run_id")):
        version, run_id = _champion(root, data) or ("", "")
        found += [
            (Path(record["run_dir"]) / "model", f"models:/{data}@champion, version {version}: {record['name']}")
            for record in variants
            if record.get("run_id") == run_id
        ]
    own = [record for record in variants if record["experiment"] == experiment]
    found += [(Path(record["run_dir"]) / "model", f"run {record['name']}") for record in own]
    kept = sorted((root / "models").glob(f"{experiment}-[0-9]*"))
    return found + [(place, f"models/{place.name}, kept by --record") for place in kept]


def experiments(root: Path, data: str) -> list[str]:
    """The trained experiments whose data is of one class, such as `pipeline.data.texts.text_data.TextData`, by name."""
    there = {record["experiment"] for record in records(root)}
    kept = (path.name for path in (root / "models").glob("*-[0-9]*"))
    there |= {name.rpartition("-")[0] for name in kept if not name.startswith(".")}  # half-written
    return sorted(name for name in there if data in {_data(place) for place, _ in _places(root, name)})


def _data(place: Path) -> str | None:
    try:
        found: str = upgrade(json.loads((place / "config.json").read_text()))["data"]["_target_"]
    except (OSError, ValueError, LookupError):
        return None
    return found


def _champion(root: Path, data: str) -> tuple[str, str] | None:
    """Version and MLflow run of a data set's champion; None if there is none, or MLflow can't be asked now.

    While one request waits for MLflow, others get the answer before: an outage must not stall every page.
    """
    key = root, data
    with _lock:
        asked, answer = _champions.get(key, (-math.inf, None))
        if time.monotonic() - asked <= CHAMPIONS_S:
            return answer
        _champions[key] = time.monotonic(), answer
    answer = _ask_champion(root, data)
    with _lock:
        _champions[key] = time.monotonic(), answer
    return answer


def _ask_champion(root: Path, data: str) -> tuple[str, str] | None:
    from pipeline.tracking.address import check
    from pipeline.tracking.mlflow_store import MLflowStore
    from pipeline.tracking.registry import Registry

    try:
        uri = resolve(load_config(root=root))["tracking"]["uri"]
        check(uri, root)
        champion = Registry(MLflowStore(uri, root), data).champion()
    except PipelineError:
        return None
    return (champion.number, champion.run_id) if champion else None


@lru_cache(maxsize=16)
def _load(place: Path, changed: int) -> Any:
    from pipeline.kinds import load

    return load(place)


def missing(experiment: str) -> dict[str, str]:
    """What a page shows in the place of a model: the command that trains it."""
    return {"experiment": experiment, "missing": f"pipeline train experiment={experiment}"}
