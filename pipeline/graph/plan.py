"""DVC's graph and which of its stages are out of date, by DVC's own rules."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipeline.errors import DataError
from pipeline.files import file_lock
from pipeline.graph import lockfile
from pipeline.launch.stages import Nodes

if TYPE_CHECKING:  # takes long to import
    from dvc.lock import LockBase
    from dvc.repo import Repo
    from dvc.stage import Stage

FOLDER = ".cache/repro"


@dataclass(slots=True)
class Plan:
    """The stages of a reproduction, those that they depend on first.

    `pending` are those that are out of date, or may be once the stages that they depend on have run.
    """

    repo: "Repo"
    stages: "dict[str, Stage]"  # name -> DVC's stage
    needs: dict[str, list[str]]  # name -> the stages that it depends on
    entries: dict[str, str] = field(default_factory=dict)  # name -> its text in dvc.lock
    pending: dict[str, str] = field(default_factory=dict)  # name -> why
    may_lack_outputs: set[str] = field(default_factory=set)  # stages that missing outputs don't make out of date
    nodes: Nodes | None = None  # of a cluster that runs stages; else all run on this machine

    def changed(self, name: str) -> bool:
        """Whether a stage is out of date, as things are now."""
        upstream = [self.stages[needed] for needed in self.needs[name]]
        return bool(self.stages[name].changed(name in self.may_lack_outputs, upstream))

    def behind(self, name: str) -> set[str]:
        """Return the stages that depend on a stage, directly or not."""
        found: set[str] = set()
        for stage, needed in self.needs.items():  # in the order of dependencies
            if name in needed or not found.isdisjoint(needed):
                found.add(stage)
        return found


def find_dvc_root(start: Path) -> Path | None:
    """Return the DVC project that contains a folder, as DVC finds it."""
    return next((folder for folder in (start, *start.parents) if (folder / ".dvc").is_dir()), None)


@contextmanager
def load(root: Path, targets: Sequence[str] = (), allow_missing: bool = False) -> Iterator[Plan]:
    """Read the graph that `dvc repro TARGETS` would reproduce; the current folder has to be `root`.

    With `allow_missing` an output that is only missing makes no stage out of date, unless a stage that runs reads it.

    Raises: DataError for an unknown target, or a graph that DVC can't read.
    """
    from dvc import progress
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    progress.tqdm.monitor_interval = 0  # its thread would forbid to fork
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            repo.lock = PromptLock(repo.lock, root / FOLDER / "repo.lock")
            yield _read(repo, targets, allow_missing)
    except DvcException as error:
        raise DataError(f"{root}: DVC can't read the graph: {error}. `dvc dag` shows what it can read.") from error


def _read(repo: "Repo", targets: Sequence[str], allow_missing: bool) -> Plan:
    from dvc.repo import lock_repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    with lock_repo(repo):
        chosen = collect_stages(repo, targets or ["dvc.yaml"])
        graph = get_active_graph(repo.index.graph)
        stages = {stage.addressing: stage for stage in plan_repro(graph, chosen)}
        needs = {name: [needed.addressing for needed in graph.successors(stage)] for name, stage in stages.items()}
        plan = Plan(repo, stages, needs, may_lack_outputs=set(stages) if allow_missing else set())
        with _without_rwlock():
            plan.pending = dict(_pending(plan))
            while read := {maker for name in stages for maker in _missing_makers(plan, name)}:
                plan.may_lack_outputs -= read
                plan.pending = dict(_pending(plan))
        plan.entries = dict(_entries(plan))
    return plan


def _pending(plan: Plan) -> Iterator[tuple[str, str]]:
    pending: set[str] = set()
    for name in plan.stages:
        waits_for = [needed for needed in plan.needs[name] if needed in pending]
        if waits_for or plan.changed(name):
            pending.add(name)
            yield name, f"after {waits_for[0]}" if waits_for else "out of date"


def _missing_makers(plan: Plan, name: str) -> Iterator[str]:
    """Find the stages whose missing outputs a stage reads, or has to read to be known as up to date.

    The latter is so where it depends on a part of an output: DVC's lock file holds the digest of the whole.
    """
    for maker in plan.may_lack_outputs.intersection(plan.needs[name]) - plan.pending.keys():
        missing = [f"{out.fs_path}{os.sep}" for out in plan.stages[maker].outs if not out.exists]
        parts = [dep for dep in plan.stages[name].deps if dep.fs_path.startswith(tuple(missing))]
        if missing and (name in plan.pending or parts):
            yield maker


def lock_path(stage: "Stage") -> Path | None:
    """Return the lock file that holds a stage's entry; None for a .dvc file, which holds its own."""
    return Path(stage.path).with_suffix(".lock") if hasattr(stage, "name") else None


def _entries(plan: Plan) -> Iterator[tuple[str, str]]:
    texts: dict[Path, dict[str, str]] = {}
    for name in plan.pending:
        stage = plan.stages[name]
        if path := lock_path(stage):
            if path not in texts:
                texts[path] = lockfile.entries(path)
            yield name, texts[path].get(stage.name, "")


@contextmanager
def _without_rwlock() -> Iterator[None]:
    """Ask for the state of stages without DVC's lock of paths, which writes a file six times a stage.

    DVC's lock of the repository is held: a stage that runs elsewhere has removed its outputs before it let go of that
    lock, so it is found out of date. A kill here can't tear the file of path locks.
    """
    import dvc.rwlock

    original = dvc.rwlock.rwlock
    dvc.rwlock.rwlock = lambda *words: nullcontext()
    try:
        yield
    finally:
        dvc.rwlock.rwlock = original


class PromptLock:
    """DVC's lock of the repository behind one that wakes its waiters at once: DVC's own looks twice a second."""

    def __init__(self, inner: "LockBase", path: Path):
        self.inner, self.path = inner, path
        self.held: AbstractContextManager[None] | None = None

    @property
    def is_locked(self) -> bool:
        return bool(self.inner.is_locked)

    def lock(self) -> None:
        self.held = file_lock(self.path)
        self.held.__enter__()
        self.inner.lock()

    def unlock(self) -> None:
        self.inner.unlock()
        if self.held is not None:
            with suppress(OSError):
                self.held.__exit__(None, None, None)
            self.held = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unlock()
