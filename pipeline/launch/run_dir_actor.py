"""The run's folder, seen from any node: an actor beside the driver keeps it for workers that can't see it.

Where nodes share the project's folder, workers write into it. Elsewhere rank 0 writes into a folder of its own, and
what appears there (events, checkpoints, samples, the model) is sent to the driver's node and published there, whole.
"""

import contextlib
import json
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from pipeline.errors import CheckpointError
from pipeline.files import atomic_write, exists, read_folder, sha256
from pipeline.runs import checkpoints, interruption
from pipeline.runs import events as run_events

MARK = ".home"  # in the run's folder: who reads the same word there sees the same folder
EVERY_S = 0.5

Files = dict[str, bytes]


class RunDirActor:
    """An actor on the driver's node: it writes what workers elsewhere send, and tells them to stop."""

    def __init__(self, run_dir: str, keep: int):
        self.run_dir, self.keep = Path(run_dir), keep
        self.word = uuid.uuid4().hex
        (self.run_dir / MARK).write_text(self.word)
        self.groups = sum("workers" in event for event in run_events.read(self.run_dir)[0])
        self.used: set[str] = set()

    def mark(self) -> str:
        """What `MARK` holds in the run's folder."""
        return self.word

    def enter(self, rank: int, workers: int, node: str) -> None:
        """A worker has begun, on a node; rank 0's word for it is the group's, which the run's events then show."""
        if rank == 0:
            self.used = set()
            events = run_events.EventLog(self.run_dir)
            events.append(step=step(self.run_dir), workers=workers, restarts=self.groups)
            if self.groups:
                events.append(tags={"worker_restarts": str(self.groups)})
            events.close()
            self.groups += 1
        self.used.add(node)

    def nodes(self) -> set[str]:
        """Where the newest group's workers are; empty until all of a group have begun."""
        return self.used

    def forget_nodes(self) -> None:
        """Before another group begins."""
        self.used = set()

    def stopping(self) -> bool:
        """Whether the run is asked to stop."""
        return interruption.requested(self.run_dir)

    def newest(self) -> tuple[str, Files] | None:
        """The name and the files of the newest checkpoint that verifies."""
        folder = checkpoints.newest(self.run_dir / "checkpoints")
        return (folder.name, read(folder)) if folder else None

    def begins_with(self) -> dict[str, Files]:
        """The folders that the run starts from, if it does: another model, a teacher's predictions."""
        folders = [checkpoints.parent_folder(self.run_dir, name) for name in checkpoints.FORMER]
        return {folder.name: read(folder) for folder in folders if exists(folder)}

    def append(self, lines: bytes) -> None:
        """Add whole lines to the run's events."""
        with (self.run_dir / run_events.NAME).open("ab", buffering=0) as file:
            file.write(lines)

    def publish(self, name: str, files: Files) -> None:
        """Make a folder that was sent appear, verified."""
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
def workspace(home: Any, run_dir: Path, rank: int) -> Iterator[Path]:
    """The folder that this worker writes to: the run's own if it can be seen from here, else one that is sent home.

    Raises: CheckpointError if what arrives does not verify.
    """
    with contextlib.suppress(OSError):
        if (run_dir / MARK).read_text() == ray.get(home.mark.remote()):
            yield run_dir
            return
    with tempfile.TemporaryDirectory(prefix="pipeline-run-") as scratch:
        here = Path(scratch)
        if newest := ray.get(home.newest.remote()):
            write(here / "checkpoints" / newest[0], newest[1])
        for name, files in ray.get(home.begins_with.remote()).items():
            write(here / name, files)
        if rank:
            yield here
            return
        with _sending(home, here):
            yield here


def step(run_dir: Path) -> int:
    """The step that a new group goes on from; 0 without a checkpoint."""
    newest = checkpoints.newest(run_dir / "checkpoints")
    return int(newest.name.removeprefix("step-")) if newest else 0


def read(folder: Path) -> Files:
    """Every file of a folder."""

    def contents(place: Path) -> Files:
        return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}

    return read_folder(folder, contents)


def write(folder: Path, files: Files) -> None:
    """Publish a folder that was read elsewhere; its manifest says what its files must be.

    Raises: CheckpointError if they are not.
    """
    manifest: dict[str, Any] = json.loads(files[checkpoints.MANIFEST])
    expected = manifest.pop("files")

    def fill(aside: Path) -> None:
        for name in expected:
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
            if sha256(path) != expected[name]:
                raise CheckpointError(f"{folder / name}: not the bytes that were sent. Run again.")

    checkpoints.publish(folder, fill, **manifest)


@contextmanager
def _sending(home: Any, here: Path) -> Iterator[None]:
    """Send home what appears in a folder, from a thread of its own, as long as the block runs, then the rest."""
    done = threading.Event()
    sent = {str(path.relative_to(here)) for path in (here / "checkpoints").glob("step-*")}
    position = 0

    def once() -> None:
        nonlocal position
        # Events come last: who reads of a step finds its checkpoint.
        _, end = run_events.read(here, position)
        for path in sorted([*here.glob("checkpoints/step-*"), *here.glob("samples/*"), *here.glob("model")]):
            name = str(path.relative_to(here))
            if name not in sent:
                with contextlib.suppress(FileNotFoundError):  # pruned in the meantime
                    ray.get(
                        home.publish.remote(name, read(path))
                        if path.is_dir()
                        else home.put.remote(name, path.read_bytes())
                    )
                    sent.add(name)
        if end > position:
            with (here / run_events.NAME).open("rb") as file:
                file.seek(position)
                ray.get(home.append.remote(file.read(end - position)))
            position = end

    def loop() -> None:
        while not done.wait(EVERY_S):
            once()
            if ray.get(home.stopping.remote()):
                interruption.request(here)

    thread = threading.Thread(target=loop, name="home", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        once()
