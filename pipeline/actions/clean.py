"""Find and remove files of finished and interrupted runs that nothing needs any more."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, lookup, records

# Folders of the project, beside runs/, where a crash may leave half-written files.
WRITTEN = ("models", "evaluations", ".cache", "results", "data")


@dataclass(frozen=True, slots=True)
class Remnant:
    """A folder or file that can be removed, and the run that it belongs to, if any."""

    path: Path
    kind: str
    size: int  # bytes
    run_dir: Path | None = None


def remnants(root: Path) -> list[Remnant]:
    """List old checkpoints, half-written files and Ray's folders; nothing of a running run, and nothing is changed.

    Never a model, a result, the newest checkpoint that verifies or the best one.
    """
    idle = [record for record in lookup.listing(root) if record["status"] != "running"]
    of_runs = [remnant for record in idle for remnant in _of_run(Path(record["run_dir"]))]
    folders = [folder for name in WRITTEN for folder in _folders(root / name)]
    return of_runs + [_remnant(path, "half-written") for folder in folders for path in files.leftovers(folder)]


def remove(listed: list[Remnant]) -> list[Remnant]:
    """Remove and return the listed remnants, except those of runs that have been resumed meanwhile."""
    removed = [remnant for remnant in listed if remnant.run_dir is None]
    for remnant in removed:
        files.remove(remnant.path)
    for run_dir in dict.fromkeys(remnant.run_dir for remnant in listed if remnant.run_dir):
        with suppress(LaunchError), records.lock(run_dir):
            records.recover_folders(run_dir)
            own = [remnant for remnant in listed if remnant.run_dir == run_dir]
            for remnant in own:
                files.remove(remnant.path)
            removed += own
    return removed


def _of_run(run_dir: Path) -> Iterator[Remnant]:
    for folder in checkpoints.superfluous(run_dir / "checkpoints"):
        yield _remnant(folder, "old checkpoint", run_dir)
    for path in [*run_dir.glob("checkpoints/.step-*"), *run_dir.glob(".model.*"), *files.leftovers(run_dir)]:
        if not _is_backup(path):
            yield _remnant(path, "half-written", run_dir)
    if (run_dir / "ray").is_dir():
        yield _remnant(run_dir / "ray", "Ray's folder", run_dir)


def _is_backup(path: Path) -> bool:
    """Return whether this is the only version of a folder, whose replacement a crash cut off: it will be restored."""
    return path.suffix == ".old" and not path.with_name(path.name[1 : -len(".old")]).exists()


def _folders(top: Path) -> list[Path]:
    return [top, *(path for path in top.rglob("*") if path.is_dir())] if top.is_dir() else []


def _remnant(path: Path, kind: str, run_dir: Path | None = None) -> Remnant:
    return Remnant(path, kind, files.size(path), run_dir)
