"""Records of trainings in one form, whether runs of this machine or committed results."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import CheckpointError, LaunchError
from pipeline.runs import checkpoints, fingerprint, lookup, records, results, trail
from pipeline.runs.records import RunRecord
from pipeline.types import Config, Manifest

Facts = dict[str, str | None]
OWN, LOCK = ("code", "data", "configuration"), "requirements.lock"  # facts that are digests


@dataclass(frozen=True, slots=True)
class Recorded:
    """A training as recorded: how it was made, what it depended on, what it gave."""

    name: str
    result: str  # EXPERIMENT-SEED
    commit: str | None
    dirty: bool | None
    steps: int  # of the whole training
    entries: list[trail.Entry]
    config: Config | None  # None: composed from `overrides`
    overrides: list[str]
    depends: Facts  # digests of code, data, configuration and lock file, processor, versions
    metrics: dict[str, float]
    run_dir: Path | None = None
    problem: str = ""  # with the stored model


def find(name: str, root: Path) -> Recorded:
    """The committed result EXPERIMENT-SEED, else the finished run of a name.

    Raises: LaunchError if there is neither, or the run is not finished.
    """
    if found := results.find(name, root):
        return of_result(name, found)
    return _of_run(lookup.find(name, root))


def of_result(name: str, result: results.Result) -> Recorded:
    """The training of a committed result, EXPERIMENT-SEED."""
    command = shlex.split(result.get("command") or "")
    overrides = [word for word in command[2:] if not word.startswith(("cluster", "tracking", "--"))]
    experiment, _, seed = name.rpartition("-")
    stored = trail.Entry(result.get("steps") or 1, None, result["weights_digest"])
    entries = trail.entries(result["trail"]) if "trail" in result else [stored]
    return Recorded(
        name=name,
        result=name,
        commit=result.get("commit"),
        dirty=result.get("dirty"),
        steps=entries[-1].step,
        entries=entries,
        config=None,
        overrides=overrides or [f"experiment={experiment}", f"seed={seed}"],
        depends={
            "code": result.get("code_digest"),
            "data": str(result["dataset"]["digest"]),
            "configuration": result["config_digest"],
            **_environment(result),
        },
        metrics=result["metrics"],
        problem="" if entries[-1].weights == result["weights_digest"] else "its weights are not those of its trail",
    )


def _of_run(record: RunRecord) -> Recorded:
    """The training of a run.

    Raises: LaunchError if it is not finished; CheckpointError if its model's manifest or trail can't be read.
    """
    run_dir = Path(record["run_dir"])
    if record["status"] != "finished":
        raise LaunchError(
            f"{record['name']}: is {record['status']}. Only a finished run can be compared. Finish it: "
            f"`pipeline resume {record['name']}`."
        )
    manifest, problem = _manifest(run_dir / "model")
    weights = checkpoints.weights_digest(manifest)
    entries = _trail(run_dir / "model") or [trail.Entry(record["steps"], None, weights)]
    if not problem and entries[-1].weights != weights:
        problem = "its stored weights are not those of its trail"
    return Recorded(
        name=record["name"],
        result=f"{record['experiment']}-{record['seed']}",
        commit=record.get("commit"),
        dirty=record.get("dirty"),
        steps=entries[-1].step,
        entries=entries,
        config=records.config(run_dir),
        overrides=[],
        depends={
            "code": fingerprint.code_of(record),
            "data": manifest["data_digest"],
            "configuration": manifest["config_digest"],
            **_environment(record),
        },
        metrics=record["metrics"],
        run_dir=run_dir,
        problem=problem,
    )


def _manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a stored model, and what is wrong with the files beside it.

    Raises: CheckpointError if the manifest itself can't be read.
    """
    try:
        return checkpoints.verify(folder), ""
    except CheckpointError as error:
        try:
            manifest: Manifest = json.loads((folder / checkpoints.MANIFEST).read_text())
            dict(manifest["files"])
        except (OSError, ValueError, LookupError, TypeError):
            raise error from None
        return manifest, str(error)


def _trail(folder: Path) -> list[trail.Entry]:
    """The trail beside a stored model, empty without one. Raises: CheckpointError if it can't be read."""
    try:
        return trail.read(folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{folder / trail.FILE}: torn ({error}). Train again.") from error


def _environment(record: Mapping[str, Any]) -> Facts:
    """Lock file, processor, instructions and versions; older records have the processor's name alone."""
    known: Facts = record.get("environment") or {"processor": record.get("hardware")}
    return {LOCK: record.get("lock_digest"), **known}


def differing(then: Facts, now: Facts) -> dict[str, tuple[str, str]]:
    """The aspects in which two trainings differ, each with the facts that do; what either lacks is not compared."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in then.keys() & now.keys():
        before, after = then[name], now[name]
        variable = name.isupper()  # of the instructions to use, which may be unset
        if before == after or (None in (before, after) and not variable):
            continue
        aspect = name if name in OWN else "hardware" if variable or name == "processor" else "environment"
        pair = [str(fact)[:12] if name in (*OWN, LOCK) else str(fact) for fact in (before, after)]
        shown = pair if name in OWN else [f"{name} {fact}" for fact in pair]
        found.setdefault(aspect, []).append((shown[0], shown[1]))
    return {
        aspect: (", ".join(then for then, _ in pairs), ", ".join(now for _, now in pairs))
        for aspect, pairs in ((aspect, sorted(found[aspect])) for aspect in sorted(found))
    }
