"""What a run has to tell MLflow and has not told it yet: its spool from a remembered place on.

The events it knows (what else stands in the spool is for others): `run`, the first one, or again when a run goes on;
`metrics` of an epoch; `system`, what the machine is doing; `final`, the scores; `tags`; `files`; `model`; `status`.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import LaunchError
from pipeline.files import LockHeldError, atomic_write, file_lock
from pipeline.runs import events as run_events
from pipeline.tracking.mlflow_store import MLflowStore, OutageError, RefusedError

STATE = "tracking.json"
BATCH = 200  # events in one request
POINTS = ("metrics", "system", "final")
NEWS = (*POINTS, "run", "tags", "files", "model", "status")
Point = tuple[str, float, float, int]  # name, value, time in s, step


class UploadQueue:
    """Tells MLflow the events of a run in order, each once, and remembers how far it has come.

    A (name, step) that was told is not told again: a run that went on from a checkpoint repeats what it had logged.
    """

    def __init__(self, run_dir: Path, store: MLflowStore):
        self.run_dir, self.store = run_dir, store
        path = run_dir / STATE
        self.state: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"told": 0, "refused": []}
        before = (event for event, end in run_events.scan(run_dir) if end <= self.state["told"])
        self.told = {(name, step) for event in before for name, _, _, step in points(event)}

    @property
    def run_id(self) -> str | None:
        return self.state.get("run_id")

    @property
    def experiment_id(self) -> str | None:
        return self.state.get("experiment_id")

    def waiting(self) -> int:
        """How many events are still to be told; 0 for a run that was never tracked."""
        events = [event for event, _ in run_events.scan(self.run_dir, self.state["told"])]
        tracked = self.run_id or any("run" in event for event in events)
        return sum(any(kind in event for kind in NEWS) for event in events) if tracked else 0

    def send(self) -> None:
        """Tell everything that waits.

        Raises: OutageError if MLflow can't be told now; LaunchError if it will not take this run at all.
        """
        for events, end in _batches(run_events.scan(self.run_dir, self.state["told"])):
            try:
                with self.store.answering():
                    self._tell(events)
            except RefusedError as error:
                if "run" in events[0]:
                    raise LaunchError(f"{self.run_dir.name}: MLflow does not take this run: {error}.") from error
                self._remember(refused=[*self.state["refused"], str(error)])
            self._remember(told=end)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises: LaunchError if another process tells MLflow of this run."""
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(self.run_dir / ".tracking.lock", 0))
            except LockHeldError as error:
                raise LaunchError(f"{self.run_dir.name}: another process tracks it right now. Wait for it.") from error
            yield

    def _tell(self, events: list[run_events.Event]) -> None:
        first = events[0]
        if "run" in first:
            self._open(first)
        elif self.run_id is None:
            return
        elif "tags" in first:
            self.store.set_tags(self.run_id, first["tags"])
        elif "files" in first:
            self.store.log_files(self.run_id, self.run_dir / first["files"], first["under"])
        elif "model" in first:
            files = self.run_dir / first["model"], self.run_dir / first["example"]
            self.store.log_model(self.run_id, str(self.experiment_id), *files)
        elif "status" in first:
            self.store.end(self.run_id, first["status"], first["time"])
        else:
            new = {point[0::3]: point for event in events for point in points(event)}
            self.store.log_metrics(self.run_id, [point for place, point in new.items() if place not in self.told])
            self.told.update(new)

    def _open(self, event: run_events.Event) -> None:
        if self.run_id:
            self.store.reopen(self.run_id)
            return
        facts = event["run"]
        if parent := facts.get("parent"):
            facts = {**facts, "tags": {**facts["tags"], "mlflow.parentRunId": _told(Path(parent))}}
        run_id, experiment_id = self.store.open(facts, event["time"])
        self._remember(run_id=run_id, experiment_id=experiment_id)

    def _remember(self, **facts: Any) -> None:
        self.state.update(facts)
        atomic_write(self.run_dir / STATE, json.dumps(self.state, indent=1) + "\n")


def _told(run_dir: Path) -> str:
    """The id of a run that MLflow knows.

    Raises: OutageError if it has not been told of it yet.
    """
    path = run_dir / STATE
    if run_id := json.loads(path.read_text()).get("run_id") if path.is_file() else None:
        return str(run_id)
    raise OutageError(f"{run_dir.name} comes first")


def points(event: run_events.Event) -> Iterator[Point]:
    """The metrics of an event: an epoch's count from 1, the machine's are by the second, the final ones stand alone."""
    kind = next((kind for kind in POINTS if kind in event), None)
    step = {"metrics": lambda: event["epoch"] + 1, "system": lambda: event["second"]}.get(str(kind), lambda: 0)()
    for name, value in event.get(str(kind), {}).items():
        yield name, value, event["time"], step


def _batches(events: Iterator[tuple[run_events.Event, int]]) -> Iterator[tuple[list[run_events.Event], int]]:
    """Points that follow each other together, anything else by itself; each with the place after it."""
    batch: list[run_events.Event] = []
    last = 0
    for event, end in events:
        alone = any(kind in event for kind in NEWS) and not any(kind in event for kind in POINTS)
        if batch and (alone or len(batch) == BATCH):
            yield batch, last
            batch = []
        if alone:
            yield [event], end
        else:
            batch.append(event)
        last = end
    if batch:
        yield batch, last
