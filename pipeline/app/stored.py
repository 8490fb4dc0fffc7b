"""Trained models of an experiment; no path comes from a request."""

import json
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.config import load_config, resolve
from pipeline.config.aliases import upgrade
from pipeline.errors import PipelineError
from pipeline.files import read_folder
from pipeline.runs import checkpoints, lookup
from pipeline.types import Predictor

CHAMPION_TTL_S = 30.0  # how long the registry's response is used
_lock = threading.Lock()
_champions: dict[tuple[Path, str], tuple[float, tuple[str, str] | None]] = {}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A loaded model, its folder, and its origin as a phrase."""

    predictor: Predictor
    folder: Path
    source: str


def find_model(root: Path, experiment: str) -> StoredModel | None:
    """The first model of an experiment that can be loaded; None if there is none.

    First the registry's champion if it belongs to this experiment or a variant (`mnist_cnn_best` is a variant of
    `mnist_cnn`), then the newest finished run, then the model recorded by `--record`.
    """
    for folder, source in _candidates(root, experiment):
        # Incomplete, or of a class that has since been renamed or takes other arguments.
        with suppress(PipelineError, FileNotFoundError):
            changed = read_folder(folder, lambda current: (current / checkpoints.MANIFEST).stat().st_mtime_ns)
            return StoredModel(_load(folder, changed), folder, source)
    return None


def _candidates(root: Path, experiment: str) -> list[tuple[Path, str]]:
    variants = [
        record
        for record in lookup.listing(root)
        if record["status"] == "finished" and f"{record['experiment']}_".startswith(f"{experiment}_")
    ]
    candidates = []
    for data in dict.fromkeys(record["data"] for record in variants if record.get("run_id")):
        version, run_id = _champion(root, data) or ("", "")
        candidates += [
            (Path(record["run_dir"]) / "model", f"models:/{data}@champion, version {version}: {record['name']}")
            for record in variants
            if record.get("run_id") == run_id
        ]
    own = [record for record in variants if record["experiment"] == experiment]
    candidates += [(Path(record["run_dir"]) / "model", f"run {record['name']}") for record in own]
    recorded = sorted((root / "models").glob(f"{experiment}-[0-9]*"))
    return candidates + [(folder, f"models/{folder.name} (recorded)") for folder in recorded]


def experiments_on(root: Path, data_class: str) -> list[str]:
    """Sorted names of the trained experiments whose data module is of a class, such as `…text_data.TextData`."""
    names = {name for record in lookup.listing(root) if (name := record["experiment"])}
    recorded = (path.name for path in (root / "models").glob("*-[0-9]*"))
    names |= {name.rpartition("-")[0] for name in recorded if not name.startswith(".")}  # "." marks half-written ones
    return sorted(
        name for name in names if data_class in {_data_class(folder) for folder, _ in _candidates(root, name)}
    )


def _data_class(folder: Path) -> str | None:
    try:
        target: str = upgrade(json.loads((folder / "config.json").read_text()))["data"]["_target_"]
    except (OSError, ValueError, LookupError):
        return None
    return target


def _champion(root: Path, data: str) -> tuple[str, str] | None:
    """Version and MLflow run of a data set's champion; None without a champion, or while MLflow is unreachable.

    While one request waits for MLflow, others get the former response: an outage does not stall all pages.
    """
    key = root, data
    with _lock:
        queried, champion = _champions.get(key, (-math.inf, None))
        if time.monotonic() - queried <= CHAMPION_TTL_S:
            return champion
        _champions[key] = time.monotonic(), champion
    champion = _query_champion(root, data)
    with _lock:
        _champions[key] = time.monotonic(), champion
    return champion


def _query_champion(root: Path, data: str) -> tuple[str, str] | None:
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
def _load(folder: Path, changed: int) -> Predictor:
    from pipeline.kinds import load

    return load(folder)


def untrained(experiment: str) -> dict[str, object]:
    """The part of a response that stands for a model that is not trained yet: the command that trains it."""
    return {"experiment": experiment, "train_command": f"pipeline train experiment={experiment}"}
