"""What finished and interrupted runs leave behind that nothing needs any more."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, lookup, records

WRITTEN = ("models", ".cache", "metrics", "results", "plots", "data")  # where crashes leave half-written files, too


@dataclass(frozen=True, slots=True)
class Remnant:
    """A folder or file that may go, and the run whose it is, if it is one's."""

    path: Path
    kind: str
    size: int  # bytes
    run_dir: Path | None = None


def remnants(root: Path) -> list[Remnant]:
    """Old checkpoints, what crashes left half-written, Ray's folders; nothing of a run that is running.

    Never a model, a result, the newest checkpoint that verifies or the best one. Nothing is changed.
    """
    idle = [record for record in lookup.listing(root) if record["status"] != "running"]
    found = [one for record in idle for one in _of(Path(record["run_dir"]))]
    folders = [folder for name in WRITTEN for folder in _folders(root / name)]
    return found + [_remnant(path, "half-written") for folder in folders for path in files.leftovers(folder)]


def remove(found: list[Remnant]) -> list[Remnant]:
    """Remove what was found, but for runs that have begun again meanwhile; what was removed."""
    gone = [one for one in found if one.run_dir is None]
    for one in gone:
        files.remove(one.path)
    for run_dir in dict.fromkeys(one.run_dir for one in found if one.run_dir):
        with suppress(LaunchError), records.lock(run_dir):
            records.recover_folders(run_dir)
            own = [one for one in found if one.run_dir == run_dir]
            for one in own:
                files.remove(one.path)
            gone += own
    return gone


def _of(run_dir: Path) -> Iterator[Remnant]:
    for folder in checkpoints.superfluous(run_dir / "checkpoints"):
        yield _remnant(folder, "old checkpoint", run_dir)
    for path in [*run_dir.glob("checkpoints/.step-*"), *run_dir.glob(".model.*"), *files.leftovers(run_dir)]:
        if not _stands_in(path):
            yield _remnant(path, "half-written", run_dir)
    if (run_dir / "ray").is_dir():
        yield _remnant(run_dir / "ray", "Ray's folder", run_dir)


def _stands_in(path: Path) -> bool:
    """Whether this is the old version of a folder, whose replacement a crash cut off: it comes back."""
    return path.suffix == ".old" and not path.with_name(path.name[1 : -len(".old")]).exists()


def _folders(top: Path) -> list[Path]:
    return [top, *(path for path in top.rglob("*") if path.is_dir())] if top.is_dir() else []


def _remnant(path: Path, what: str, run_dir: Path | None = None) -> Remnant:
    return Remnant(path, what, files.size(path), run_dir)
