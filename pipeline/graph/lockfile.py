"""Write one stage's entry into dvc.lock, atomically and without reading the other entries.

DVC parses the whole file and writes it in place: seconds for 400 stages, and a torn file if the process is killed
meanwhile. The text of an entry is DVC's own; here its lines replace the former ones. The caller holds DVC's lock.
"""

import shutil
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import yaml

from pipeline.files import atomic_file, atomic_write

if TYPE_CHECKING:  # takes long to import
    from dvc.stage import Stage

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the safe one, ten times as fast where it is built in C
HEAD = ["schema: '2.0'\n", "stages:\n"]


class LockedFile(TypedDict, total=False):
    """A dependency or output of a stage: its path and digest."""

    path: str
    hash: str
    md5: str
    size: int
    nfiles: int


class LockEntry(TypedDict, total=False):
    """A stage's entry in dvc.lock."""

    cmd: str
    deps: list[LockedFile]
    outs: list[LockedFile]


def entries(path: Path) -> dict[str, str]:
    """Return every stage's lines as text; empty if the file is not there, or not laid out as DVC lays it out."""
    lines = _lines(path) or []
    return {name: "".join(lines[start:end]) for name, start, end in _spans(lines)}


def read(path: Path, name: str) -> LockEntry:
    """Return the entry of a stage, whatever the file's layout; empty without one."""
    lines = _lines(path)
    if lines is None:
        text = path.read_text(encoding="utf-8")
    else:
        start, end = _span(lines, name)
        text = "".join([*HEAD, *lines[start:end]])
    content = yaml.load(text, LOADER) or {}  # noqa: S506  the safe loader
    stages: dict[str, LockEntry] = content.get("stages") or {}
    return stages.get(name) or {}


def record(stage: "Stage", later: Collection[str] = ()) -> None:
    """Write a finished stage into DVC's lock file as `stage.dump(update_pipeline=False)` does.

    A new entry comes before those of the stages `later`, which `dvc repro` would have appended after it.
    """
    from dvc.stage import PipelineStage

    if not isinstance(stage, PipelineStage):  # a .dvc file of its own
        stage.dump(update_pipeline=False)
        return
    path = Path(stage.path).with_suffix(".lock")
    lines = _lines(path)
    if lines is None:
        _record_by_dvc(stage, path)
    else:
        start, end = _span(lines, stage.name)
        if start == end:
            start = end = min((first for name, first, _ in _spans(lines) if name in later), default=start)
        lines[start:end] = _dumped(stage)
        atomic_write(path, "".join(lines))
    stage.repo.scm_context.track_file(stage.dvcfile._lockfile.relpath)


def _dumped(stage: "Stage") -> list[str]:
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    text = dumps_yaml({"schema": "2.0", "stages": to_lockfile(stage)})
    lines = text.splitlines(keepends=True)
    if lines[:2] != HEAD:
        raise AssertionError(f"DVC writes another head of dvc.lock: {lines[:2]}")
    return list(lines[2:])


def _record_by_dvc(stage: "Stage", path: Path) -> None:
    """Let DVC write its file beside the old one, which is then replaced."""
    from dvc.dvcfile import Lockfile

    with atomic_file(path, ".lock") as aside:
        shutil.copyfile(path, aside)
        Lockfile(stage.repo, str(aside)).dump(stage)


def _lines(path: Path) -> list[str] | None:
    """Return the lines of a lock file; None if it is not laid out as DVC lays it out."""
    if not path.exists():
        return list(HEAD)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    usual = lines[:2] == HEAD and all(line.startswith("  ") and line.endswith("\n") for line in lines[2:])
    return lines if usual and all(line.endswith(":\n") for line in lines[2:] if line[2] not in " #") else None


def _spans(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each stage with the numbers of its first line and of the line after its last."""
    keys = [number for number, line in enumerate(lines) if number > 1 and line[2] != " "]
    for start, end in pairwise([*keys, len(lines)]):
        yield lines[start].strip()[:-1].strip("'\""), start, end


def _span(lines: list[str], name: str) -> tuple[int, int]:
    """Return where a stage's lines start and end; both are the end of the file if there are none."""
    spans = (span for key, *span in _spans(lines) if key == name)
    start, end = next(spans, (len(lines), len(lines)))
    return start, end
