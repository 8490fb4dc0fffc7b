"""Runs the commands of DVC's stages on the nodes of a Ray cluster: what they read is sent, what they write comes back.

Part of the process that holds the connection to the cluster (`pipeline.launch.stages`).
"""

import json
import shlex
import threading
import time
import zipfile
from contextlib import ExitStack, suppress
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, BinaryIO

from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import LaunchError
from pipeline.files import LockHeldError
from pipeline.launch.parent import STOPPED
from pipeline.launch.stages import POLL_S, Ended, Stage
from pipeline.runs import lookup, records
from pipeline.tracking.address import is_server
from pipeline.types import Config

if TYPE_CHECKING:  # import Ray
    from pipeline.launch.data_bundle import DataBundle
    from pipeline.launch.stage_actor import Progress, Work

TRIES = 4  # of a stage whose nodes die without a new checkpoint between them
KEEP = 2  # checkpoints of a run, beside the best


class Dispatcher:
    """Runs stages on nodes: each in an actor that waits for a free CPU, again in another one if its node is lost."""

    def __init__(self, root: Path):
        import ray

        from pipeline.launch.stage_actor import Sent

        self.root = root
        config = load_config(root=root)
        self.tracked = is_server(config.tracking.uri)
        self.tracking = {"MLFLOW_TRACKING_URI": str(config.tracking.uri)} if self.tracked else {}
        code = Sent.of("code.zip", _zipped(root))
        self.code, self.code_digest = ray.put(code), code.digest
        self.data: dict[str, DataBundle] = {}
        self.lock = threading.Lock()

    def serve(self, connection: "Connection[Ended, Stage | str]") -> None:
        """Run the stage that a connection asks for, and send back how it ended."""
        stops: SimpleQueue[Stage | str] = SimpleQueue()

        def listen() -> None:
            with suppress(EOFError, OSError):
                while True:
                    stops.put(connection.recv())
            stops.put("stop")  # its process has ended

        stage = connection.recv()
        assert isinstance(stage, Stage)
        threading.Thread(target=listen, daemon=True).start()
        with stage.log.open("ab", buffering=0) as log:
            try:
                ended = self._run(stage, stops, log)
            except Exception as error:  # of any kind: it is the stage's failure
                ended = Ended(1, " ".join(str(error).split())[-500:] or repr(error))  # Ray's traceback comes first
                log.write(f"{ended.why}\n".encode())
        with suppress(OSError):
            connection.send(ended)

    def _run(self, stage: Stage, stops: "SimpleQueue[Stage | str]", log: BinaryIO) -> Ended:
        from ray.exceptions import RayActorError

        from pipeline.launch.failure_count import reason

        failed, step = 0, -1
        while True:
            try:
                return self._attempt(stage, stops, log)
            except RayActorError as error:
                newest = self._newest_step(stage)
                failed, step = (1 if newest > step else failed + 1), newest
                why = reason(error)
                if failed >= TRIES:
                    return Ended(1, f"its node was lost {TRIES} times without a new checkpoint ({why})")
                log.write(f"its node is lost ({why}): the stage runs again from its newest checkpoint\n".encode())

    def _attempt(self, stage: Stage, stops: "SimpleQueue[Stage | str]", log: BinaryIO) -> Ended:
        import ray

        from pipeline.launch.stage_actor import StageActor

        actor = ray.remote(StageActor).options(num_cpus=1).remote()
        with ExitStack() as stack:
            stack.callback(lambda: ray.kill(actor))
            started = actor.start.remote(self._work(stage))
            while not ray.wait([started], timeout=POLL_S)[0]:
                if not stops.empty():
                    return Ended(STOPPED)
            log.write(f"runs on {ray.get(started)}\n".encode())
            locked: set[Path] = set()
            while True:
                progress = ray.get(actor.progress.remote())
                log.write(progress.log)
                self._take(progress, locked, stack)
                if progress.code is not None:
                    break
                with suppress(Empty):
                    stops.get(timeout=POLL_S)
                    actor.stop.remote()
                    time.sleep(POLL_S)
            if progress.code == 0:
                for file in ray.get(actor.outputs.remote()):
                    file.write(self.root)
            ray.get(actor.close.remote())
            return Ended(progress.code)

    def _take(self, progress: "Progress", locked: set[Path], stack: ExitStack) -> None:
        """Write what a node sent of runs; a run's folder is locked, as by a process that trains it here."""
        from pipeline.launch import run_dir_actor
        from pipeline.runs import checkpoints

        names = [*progress.folders, *(file.path for file in progress.files)]
        for run_dir in {self.root / "runs" / Path(name).parts[1] for name in names} - locked:
            run_dir.mkdir(parents=True, exist_ok=True)
            with suppress(LockHeldError):
                stack.enter_context(records.lock(run_dir))
            locked.add(run_dir)
        for name, files in progress.folders.items():
            folder = self.root / name
            run_dir_actor.write(folder, files)
            if folder.parent.name == "checkpoints":
                checkpoints.prune(folder.parent, KEEP)
        for file in progress.files:
            file.write(self.root)

    def _work(self, stage: Stage) -> "Work":
        """All that a stage's command reads."""
        from pipeline.launch.stage_actor import Sent, Work

        required = [Path(name).name.rpartition("-")[0] for name in stage.inputs if name.startswith("models/")]
        names = [*stage.inputs, "data.dvc", "requirements.lock", *(f"results/{each}.json" for each in required)]
        if run_dir := self._interrupted(stage):
            names.append(str(run_dir.relative_to(self.root)))
        files = {file: None for name in names for file in _files(self.root / name)}
        sent = [Sent.of(str(file.relative_to(self.root)), file.read_bytes()) for file in files]
        environment = {"DVC_STAGE": stage.name, **self.tracking}
        return Work(
            stage.name,
            stage.command,
            self.code,
            self.code_digest,
            tuple(sent),
            self._bundle(stage),
            self.tracked,
            stage.outputs,
            environment,
        )

    def _bundle(self, stage: Stage) -> "DataBundle | None":
        """The data that a command reads; None for data that packages contain or programs generate."""
        from pipeline.launch.data_bundle import pack

        data = _data(stage, self.root)
        if data.get("path"):
            raise LaunchError(
                f"{stage.name}: trains on files of your own, which are not sent. Run it without cluster=."
            )
        name = data["name"]
        if name not in store.FILES:
            return None
        with self.lock:
            if name not in self.data:
                store.verify(name, self.root / "data")
                self.data[name] = pack(name, store.digest(name), self.root / "data", send=True)
            return self.data[name]

    def _interrupted(self, stage: Stage) -> Path | None:
        """The newest interrupted run of a stage's experiment and seed; the command checks that it is the same."""
        words = dict(word.split("=", 1) for word in shlex.split(stage.command) if "=" in word)
        for record in lookup.listing(self.root):
            same = (record["experiment"], str(record["seed"])) == (words.get("experiment"), words.get("seed"))
            if same and record["status"] == "interrupted":
                return Path(record["run_dir"])
        return None

    def _newest_step(self, stage: Stage) -> int:
        from pipeline.launch.failure_count import newest_step

        run_dir = self._interrupted(stage)
        return newest_step(run_dir) if run_dir else 0


def _data(stage: Stage, root: Path) -> Config:
    """The configuration of the data that a command reads."""
    words = shlex.split(stage.command)
    if words[1] == "evaluate":
        config = json.loads((root / words[2] / "config.json").read_text())
    else:
        config = resolve(load_config(*(word for word in words[2:] if not word.startswith("-")), root=root))
    data: Config = config["data"]
    return data


def _files(path: Path) -> list[Path]:
    """The files of a folder, or a file, if it is there; no locks."""
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file() and not each.name.endswith(".lock"))
    return [path] if path.is_file() else []


def _zipped(root: Path) -> bytes:
    """The package with its provenance, and conf/, as a zip file."""
    from pipeline.launch.jobs import packed

    content = BytesIO()
    with packed(root, None) as (folder, _), zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(folder):
            archive.writestr(zipfile.ZipInfo(str(file.relative_to(folder))), file.read_bytes())  # without a time
    return content.getvalue()
