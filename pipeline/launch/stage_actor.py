"""Run one command of a DVC stage on a node: in a folder of its own, with what was sent; it needs the packages alone.

The command runs with the code, configuration and data of the driver's machine, checked by their digests. What it writes
to `runs/` is read while it runs, so that it resumes elsewhere if this node is lost.
"""

import hashlib
import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import ray

from pipeline.config.compose import LATER
from pipeline.errors import CheckpointError
from pipeline.files import atomic_write, exists, file_lock
from pipeline.launch.data_bundle import DataBundle, cache_dir, unpack
from pipeline.launch.parent import end_with
from pipeline.launch.run_dir_actor import Files, read

ATOMIC = ("checkpoints/step-*", "model")  # folders of a run that appear whole
WHOLE = ("checkpoints", "model", "ray")  # of a run: not read file by file; the last is Ray Train's own
DRIVERS = ("RAY_", "PYTHON", "MLFLOW_RUN_ID")  # variables of Ray's worker that the command does not get


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes with their digest, and where they belong below the project."""

    path: str
    content: bytes
    digest: str

    @classmethod
    def of(cls, path: str, content: bytes) -> "Sent":
        return cls(path, content, hashlib.sha256(content).hexdigest())

    def write(self, folder: Path) -> None:
        """Write the file below a folder.

        Raises: CheckpointError if these are not the bytes that were sent.
        """
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, self.verified())

    def verified(self) -> bytes:
        """The content. Raises: CheckpointError if these are not the bytes that were sent."""
        if hashlib.sha256(self.content).hexdigest() != self.digest:
            raise CheckpointError(f"{self.path}: not the bytes that were sent. Run again.")
        return self.content


@dataclass(frozen=True, slots=True)
class Work:
    """A command and all that it reads."""

    name: str  # of the stage
    command: str
    code: "ray.ObjectRef[Sent]"  # a zip file of the package and conf/
    code_digest: str
    inputs: tuple[Sent, ...]
    data: DataBundle | None
    tracked: bool  # whether the node can reach the tracking server; else events wait for the driver
    outputs: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """The news since the last call: output, folders and files of runs; and the exit code of a command that ended."""

    log: bytes
    folders: dict[str, Files]
    files: tuple[Sent, ...]
    code: int | None


class StageActor:
    """An actor that takes a node's CPU for as long as one stage's command runs."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pipeline-stage-"))
        self.read_bytes = 0
        self.seen: dict[str, tuple[int, int]] = {}  # file -> its size and time of change when it was read

    def start(self, work: Work) -> str:
        """Start the command. Returns: the node.

        Raises: PipelineError if what was sent does not verify.
        """
        self.work = work
        code = _unpacked(work)
        for each in work.inputs:
            each.write(self.folder)
        (self.folder / "conf").symlink_to(code / "conf")
        derived = cache_dir() / "derived"  # what commands derive from data, by its digest
        derived.mkdir(parents=True, exist_ok=True)
        (self.folder / ".cache").symlink_to(derived)
        if work.data:
            (self.folder / "data").symlink_to(unpack(work.data, self.folder / "data"))
        for name in _runs_of(self.folder):  # of an earlier try: they are known to the driver
            self._changed(name)
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", *shlex.split(work.command)],  # the `pipeline` that was sent
                cwd=self.folder,
                env=_environment(code, work),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(end_with, os.getpid()),
            )
        return f"{os.uname().nodename}, node {ray.get_runtime_context().get_node_id()[:8]}"

    def progress(self) -> Progress:
        """The news since the last call."""
        code = self.process.poll()  # first: what follows is then complete
        with self.log.open("rb") as log:
            log.seek(self.read_bytes)
            text = log.read()
        self.read_bytes += len(text)
        folders: dict[str, Files] = {}
        for run_dir in self.folder.glob("runs/*"):
            for pattern in ATOMIC:
                for folder in sorted(run_dir.glob(pattern)):
                    name = str(folder.relative_to(self.folder))
                    with suppress(OSError, CheckpointError):  # pruned meanwhile
                        if self._changed(f"{name}/manifest.json") and exists(folder):
                            folders[name] = read(folder)
        files = [Sent.of(name, (self.folder / name).read_bytes()) for name in self._new_files()]
        return Progress(text, folders, tuple(files), code)

    def outputs(self) -> tuple[Sent, ...]:
        """The files of the stage's outputs.

        Raises: FileNotFoundError for an output that the command did not write.
        """
        found = []
        for output in self.work.outputs:
            path = self.folder / output
            if not path.exists():
                raise FileNotFoundError(f"{self.work.command}: did not write {output}")
            inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
            found += [Sent.of(str(each.relative_to(self.folder)), each.read_bytes()) for each in inside]
        return tuple(found)

    def stop(self) -> None:
        """Send the command SIGTERM, at which a training stores its state and ends."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Remove the command's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _new_files(self) -> list[str]:
        """Files of runs that have changed and are in none of the folders that are read whole; the event log last."""
        new = []
        for name in _runs_of(self.folder):
            parts = Path(name).parts  # runs, NAME, …
            if parts[2] in WHOLE or any(part.startswith(".") for part in parts):  # the latter: locks, and half-written
                continue
            if self._changed(name):
                new.append(name)
        return sorted(new, key=lambda name: name.endswith("events.jsonl"))

    def _changed(self, name: str) -> bool:
        """Whether a file differs from when this was last asked."""
        try:
            status = (self.folder / name).stat()
        except OSError:
            return False
        now = status.st_size, status.st_mtime_ns
        before = self.seen.get(name)
        self.seen[name] = now
        return now != before


def _runs_of(folder: Path) -> list[str]:
    """All files below `runs/NAME/`."""
    return [str(path.relative_to(folder)) for path in folder.glob("runs/*/**/*") if path.is_file()]


def _unpacked(work: Work) -> Path:
    """The folder on this node with the code; one copy a node."""
    folder = cache_dir() / "code" / work.code_digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / ".complete"
    with file_lock(folder / ".lock"):
        if not done.exists():
            with zipfile.ZipFile(io.BytesIO(ray.get(work.code).verified())) as archive:
                archive.extractall(folder)
            done.touch()
    return folder


def _environment(code: Path, work: Work) -> dict[str, str]:
    """The command's variables: those of this node, without Ray's own, so that the code that was sent is imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DRIVERS)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    later = {} if work.tracked else {"MLFLOW_TRACKING_URI": LATER}
    return {**kept, **work.environment, **later, "PATH": path, "PYTHONPATH": str(code)}
