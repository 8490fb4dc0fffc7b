"""The upload queue of a run: events of its log that are not in MLflow yet, from a stored byte position on.

Events that are sent (others in the log are for other readers): `run`, the first one, and again when a run is resumed;
`metrics` of an epoch; `system`, the machine's load; `final`, the scores; `tags`; `files`; `model`; `status`. Of the
progress within an epoch the loss is sent every few seconds, as `batch/loss`. It is the first chart on a run's page,
where MLflow sorts groups of charts by name, and the only one before the first epoch ends.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from pipeline.errors import LaunchError
from pipeline.files import LockHeldError, atomic_write, file_lock
from pipeline.runs.events import scan
from pipeline.tracking.mlflow_store import MLflowStore, OutageError, RefusedError
from pipeline.types import Event

STATE = "tracking.json"
BATCH = 200  # events in one request
LOSS_EVERY_S = 5  # between two losses of batches
POINTS: tuple[Literal["metrics", "system", "final"], ...] = ("metrics", "system", "final")
SENT = (*POINTS, "run", "tags", "files", "model", "status")
Point = tuple[str, float, float, int]  # name, value, time in s, step


class State(TypedDict, total=False):
    """A queue's file: bytes of the log that were sent, MLflow's ids of the run, errors of refused events."""

    sent: int
    told: int  # `sent` of older runs
    run_id: str
    experiment_id: str
    refused: list[str]


class UploadQueue:
    """Sends the events of a run to MLflow in order, each once, and stores how many bytes of the log are sent.

    A (name, step) is sent once: a run that resumed from a checkpoint logs its steps since then again.
    """

    def __init__(self, run_dir: Path, store: MLflowStore):
        self.run_dir, self.store = run_dir, store
        path = run_dir / STATE
        self.state: State = json.loads(path.read_text()) if path.is_file() else {"refused": []}
        self.state["sent"] = self.state.pop("told", self.state.get("sent", 0))
        before = (event for event, end in scan(run_dir) if end <= self.sent)
        self.points = {(name, step) for event in before for name, _, _, step in points(event)}

    @property
    def sent(self) -> int:
        """Bytes of the event log that were sent."""
        return self.state["sent"]

    @property
    def run_id(self) -> str | None:
        return self.state.get("run_id")

    @property
    def experiment_id(self) -> str | None:
        return self.state.get("experiment_id")

    def waiting(self) -> int:
        """The number of events that are not sent yet; 0 for a run that was never tracked."""
        events = [event for event, _ in scan(self.run_dir, self.sent)]
        tracked = self.run_id or any("run" in event for event in events)
        return sum(any(kind in event for kind in SENT) for event in events) if tracked else 0

    def send(self) -> None:
        """Send all events that wait.

        Raises: OutageError if MLflow can't take them now; LaunchError if it refuses the run.
        """
        for events, end in _batches(scan(self.run_dir, self.sent)):
            try:
                with self.store.translated_errors():
                    self._send(events)
            except RefusedError as error:
                if "run" in events[0]:
                    raise LaunchError(f"{self.run_dir.name}: MLflow refuses this run: {error}.") from error
                self._store(refused=[*self.state["refused"], str(error)])
            self._store(sent=end)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the queue while the block runs. Raises: LaunchError if another process sends this run's events."""
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(self.run_dir / ".tracking.lock", 0))
            except LockHeldError as error:
                raise LaunchError(
                    f"{self.run_dir.name}: another process sends its events right now. Wait for it."
                ) from error
            yield

    def _send(self, events: list[Event]) -> None:
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
            self.store.log_metrics(self.run_id, [point for place, point in new.items() if place not in self.points])
            self.points.update(new)

    def _open(self, event: Event) -> None:
        if self.run_id:
            self.store.reopen(self.run_id)
            return
        facts = event["run"]
        if parent := facts.get("parent"):
            facts = {**facts, "tags": {**facts["tags"], "mlflow.parentRunId": _run_id(Path(parent))}}
        run_id, experiment_id = self.store.open(facts, event["time"])
        self._store(run_id=run_id, experiment_id=experiment_id)

    def _store(self, **facts: Unpack[State]) -> None:
        self.state.update(facts)
        atomic_write(self.run_dir / STATE, json.dumps(self.state, indent=1) + "\n")


def _run_id(run_dir: Path) -> str:
    """MLflow's id of another run.

    Raises: OutageError if MLflow has not created it yet.
    """
    path = run_dir / STATE
    if run_id := json.loads(path.read_text()).get("run_id") if path.is_file() else None:
        return str(run_id)
    raise OutageError(f"{run_dir.name} is sent first")


def points(event: Event) -> Iterator[Point]:
    """The metrics of an event. Their step is the epoch from 1, the second of the machine's load, or 0 of final ones.

    The loss of a batch has the optimiser's step. Its time alone decides whether it is sent, so events that are sent
    again give the same points.
    """
    if "loss" in event and int(event["time"]) % LOSS_EVERY_S == 0:
        yield "batch/loss", event["loss"], event["time"], event["step"]
    step = event["epoch"] + 1 if "metrics" in event else event["second"] if "system" in event else 0
    values = next((event[kind] for kind in POINTS if kind in event), {})
    for name, value in values.items():
        yield name, value, event["time"], step


def _batches(events: Iterator[tuple[Event, int]]) -> Iterator[tuple[list[Event], int]]:
    """Consecutive metrics together, any other event by itself; each with the byte after it."""
    batch: list[Event] = []
    last = 0
    for event, end in events:
        alone = any(kind in event for kind in SENT) and not any(kind in event for kind in POINTS)
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
