"""The run's folder for workers on any node: an actor on the driver's node reads and writes it for them.

Where nodes share the project's folder, workers write into it. Elsewhere rank 0 writes into a temporary folder, and
its events, checkpoints, samples and model are sent to the driver's node and published there, each whole.
"""

import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ray
from ray.util.placement_group import PlacementGroup

from pipeline.errors import CheckpointError
from pipeline.files import atomic_write, exists, read_folder, sha256
from pipeline.launch.failure_count import newest_step
from pipeline.runs import checkpoints, events, interruption
from pipeline.runs.repeat import repeating

if TYPE_CHECKING:
    from ray.actor import ActorHandle

MARK = ".driver"  # in the run's folder: a worker that reads the driver's token in it sees the same folder
SEND_S = 0.5

Files = dict[str, bytes]


class RunDirActor:
    """An actor on the driver's node: writes what workers elsewhere send, and passes on the request to stop.

    Ray starts it again if it dies (memory may run out): the folder holds its state, but for the newest group's nodes
    and resources, which the driver remembers.
    """

    def __init__(self, run_dir: str, keep: int):
        self.run_dir, self.keep = Path(run_dir), keep
        self.token = uuid.uuid4().hex
        (self.run_dir / MARK).write_text(self.token)
        self.groups = sum("workers" in event for event in events.read(self.run_dir)[0])
        self.nodes: dict[int, str] = {}
        self.processes: dict[int, tuple[str, int]] = {}
        self.group: PlacementGroup | None = None

    def mark(self) -> str:
        """The token in `MARK`."""
        return self.token

    def hold(self, group: PlacementGroup | None) -> None:
        """Remember the resources of the newest group, to be given back if its controller dies."""
        self.group = group

    def enter(self, rank: int, workers: int, node: str, process: int) -> None:
        """Register a worker that has started on a node; rank 0 appends its group's start to the event log."""
        if rank == 0:
            event_log = events.EventLog(self.run_dir)
            event_log.append(step=newest_step(self.run_dir), workers=workers, restarts=self.groups)
            if self.groups:
                event_log.append(tags={"worker_restarts": str(self.groups)})
            event_log.close()
            self.groups += 1
        self.nodes[rank] = node  # of all ranks: they register in any order
        self.processes[rank] = (node, process)

    def worker_processes(self) -> dict[int, tuple[str, int]]:
        """The node and the process id of each of the newest workers, by rank."""
        return self.processes

    def log_load(self, load: dict[str, float]) -> None:
        """Append the load of a node to the event log."""
        event_log = events.EventLog(self.run_dir)
        started = next(events.scan(self.run_dir))[0]["time"]
        event_log.append(system=load, second=int(time.time() - started))
        event_log.close()

    def placement(self) -> tuple[set[str], PlacementGroup | None]:
        """The nodes of the newest group's workers that have started, and the resources that it was given."""
        return set(self.nodes.values()), self.group

    def forget_nodes(self) -> None:
        """Forget the former group's nodes, before another group starts."""
        self.nodes = {}

    def stopping(self) -> bool:
        """Whether the run is requested to stop."""
        return interruption.requested(self.run_dir)

    def newest(self) -> tuple[str, Files] | None:
        """The name and the files of the newest checkpoint that verifies."""
        folder = checkpoints.newest(self.run_dir / "checkpoints")
        return (folder.name, read(folder)) if folder else None

    def inputs(self) -> dict[str, Files]:
        """The folders that the run starts from, if there are any: another model, a teacher's predictions."""
        folders = [checkpoints.parent_folder(self.run_dir, name) for name in checkpoints.FORMER]
        return {folder.name: read(folder) for folder in folders if exists(folder)}

    def append(self, lines: bytes) -> None:
        """Add whole lines to the run's events."""
        with (self.run_dir / events.NAME).open("ab", buffering=0) as file:
            file.write(lines)

    def publish(self, name: str, files: Files) -> None:
        """Publish a folder that was sent, verified."""
        folder = self.run_dir / name
        write(folder, files)
        if folder.parent.name == "checkpoints":
            checkpoints.prune(folder.parent, self.keep)

    def put(self, name: str, content: bytes) -> None:
        """Write a file that was sent."""
        path = self.run_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)


@contextmanager
def workspace(actor: "ActorHandle", run_dir: Path, rank: int) -> Iterator[Path]:
    """The folder that this worker writes to: the run's own if this node sees it, else one that is sent to the actor.

    Raises: CheckpointError if a folder from the actor does not verify.
    """
    with contextlib.suppress(OSError):
        if (run_dir / MARK).read_text() == ray.get(actor.mark.remote()):
            yield run_dir
            return
    with tempfile.TemporaryDirectory(prefix="pipeline-run-") as scratch:
        local = Path(scratch)
        if newest := ray.get(actor.newest.remote()):
            write(local / "checkpoints" / newest[0], newest[1])
        for name, files in ray.get(actor.inputs.remote()).items():
            write(local / name, files)
        if rank:
            yield local
            return
        with _sending(actor, local):
            yield local


def read(folder: Path) -> Files:
    """Every file of a folder."""

    def contents(place: Path) -> Files:
        return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}

    return read_folder(folder, contents)


def write(folder: Path, files: Files) -> None:
    """Publish a folder that was read elsewhere, checked against its manifest.

    Raises: CheckpointError if a file differs.
    """
    facts = json.loads(files[checkpoints.MANIFEST])
    expected: dict[str, str] = facts.pop("files")

    def fill(aside: Path) -> None:
        for name in expected:
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
            if sha256(path) != expected[name]:
                raise CheckpointError(f"{folder / name}: not the bytes that were sent. Run again.")

    checkpoints.publish(folder, fill, **facts)


@contextmanager
def _sending(actor: "ActorHandle", local: Path) -> Iterator[None]:
    """Send new files of a folder to the actor, from a thread while the block runs, then the rest."""
    sent = {str(path.relative_to(local)) for path in (local / "checkpoints").glob("step-*")}
    position = 0

    def send() -> None:
        nonlocal position
        # Events are sent last: a reader of a step's event finds its checkpoint.
        _, end = events.read(local, position)
        for path in sorted([*local.glob("checkpoints/step-*"), *local.glob("samples/*"), *local.glob("model")]):
            name = str(path.relative_to(local))
            if name not in sent:
                with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
                    ray.get(
                        actor.publish.remote(name, read(path))
                        if path.is_dir()
                        else actor.put.remote(name, path.read_bytes())
                    )
                    sent.add(name)
        if end > position:
            with (local / events.NAME).open("rb") as file:
                file.seek(position)
                ray.get(actor.append.remote(file.read(end - position)))
            position = end

    def exchange() -> None:
        try:
            send()
        except Exception:
            # This ends the thread, so training must end, too: nothing more would arrive. The last `send` raises why.
            interruption.request(local)
            raise
        if ray.get(actor.stopping.remote()):
            interruption.request(local)

    try:
        with repeating(exchange, SEND_S, "sender"):
            yield
    finally:
        send()
