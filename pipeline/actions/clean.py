"""What finished and interrupted runs leave behind that nothing needs any more."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import checkpoint
from pipeline.actions import runs


@dataclass(frozen=True, slots=True)
class Remnant:
    """A folder that may go."""

    path: Path
    what: str
    size: int  # bytes


def remnants(root: Path) -> list[Remnant]:
    """Old checkpoints, what crashes left half-written, Ray's folders; nothing of a run that is running.

    Never a model, a result, the newest checkpoint that verifies or the best one.
    """
    idle = [record for record in runs.listing(root) if record["status"] != "running"]
    return [one for record in idle for one in _of(Path(record["run_dir"]))]


def remove(found: list[Remnant]) -> None:
    """Remove the folders."""
    for one in found:
        shutil.rmtree(one.path)


def _of(run_dir: Path) -> Iterator[Remnant]:
    checkpoint.settle(run_dir / "model")
    for folder in checkpoint.superfluous(run_dir / "checkpoints"):
        yield _remnant(folder, "old checkpoint")
    for folder in [*run_dir.glob("checkpoints/.step-*"), *run_dir.glob(".model.*")]:
        yield _remnant(folder, "half-written")
    if (run_dir / "ray").is_dir():
        yield _remnant(run_dir / "ray", "Ray's folder")


def _remnant(folder: Path, what: str) -> Remnant:
    return Remnant(folder, what, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
