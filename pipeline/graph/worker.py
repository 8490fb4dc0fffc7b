"""Reproduce one stage in a process that the driver forked: DVC is imported and the graph is read already.

The process has a number of its own, so DVC's lock of paths keeps it apart from every other DVC on the machine. The
stage's command gets a lock file's descriptor: if this process is killed and the command lives on, the stage counts as
running until the command has ended, too.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

from pipeline.errors import LaunchError
from pipeline.files import LockHeldError
from pipeline.files.inherited import inherited_lock
from pipeline.graph import lockfile
from pipeline.graph.plan import FOLDER, Plan, lock_path
from pipeline.launch.parent import end_with
from pipeline.launch.stages import Nodes, Running, Stage, travels


class Stopped(Exception):
    """The driver asked the stage to stop before its command had started."""


class Command:
    """The stage's command: started at most once at a time, and asked to stop when this process is."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.process: subprocess.Popen[bytes] | None = None
        self.started = self.stopping = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        if self.process and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)

    def run(self, executable: str | None, command: str, **words: Any) -> None:
        """Run a command as `dvc.stage.run._run` does, in a process group of its own."""
        from dvc.stage import run
        from dvc.stage.exceptions import StageCmdFailedError

        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until it is known whom to pass it on to
        try:
            if self.stopping or signal.SIGTERM in signal.sigpending():
                raise Stopped
            self.started = True
            self.process = subprocess.Popen(
                run._make_cmd(executable, command),
                **words,
                process_group=0,
                pass_fds=[self.descriptor],
                preexec_fn=partial(_before_command, os.getpid()),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if code := self.process.wait():
            raise StageCmdFailedError(command, code)


class RemoteCommand(Command):
    """A stage's command on a node of a cluster, if it is one that travels."""

    def __init__(self, descriptor: int, stage: Any, root: Path, nodes: Nodes):
        super().__init__(descriptor)
        self.stage, self.root, self.nodes = stage, root, nodes
        self.running: Running | None = None

    def stop(self, number: int, frame: FrameType | None) -> None:
        super().stop(number, frame)
        if self.running:
            self.running.stop()

    def run(self, executable: str | None, command: str, **words: Any) -> None:
        from dvc.stage.exceptions import StageCmdFailedError

        if not travels(command):
            super().run(executable, command, **words)
            return
        if self.stopping:
            raise Stopped
        name = self.stage.addressing
        inputs, outputs = (tuple(self._paths(each)) for each in (self.stage.deps, self.stage.outs))
        self.running = self.nodes.run(Stage(name, command, inputs, outputs, file_of(name, ".log", self.root)))
        self.started = True
        if self.stopping:  # meanwhile
            self.running.stop()
        ended = self.running.wait()
        if ended.why:
            raise LaunchError(ended.why)
        if ended.code:
            raise StageCmdFailedError(command, ended.code)

    def _paths(self, files: list[Any]) -> list[str]:
        return [os.path.relpath(file.fs_path, self.root) for file in files]


def file_of(name: str, suffix: str, root: Path) -> Path:
    """Return the path of a stage's log or lock."""
    return root / FOLDER / f"{quote(name, safe='@+,= ')}{suffix}"


def fork(plan: Plan, name: str, root: Path) -> tuple[int, int]:
    """Start a stage. Returns: the process, and the descriptor that its outcome is to be read from, as JSON."""
    driver = os.getpid()
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    try:
        _settle(driver)
        os.write(writing, json.dumps(_outcome(plan, name, root)).encode())
    finally:
        os._exit(0)


def _settle(driver: int) -> None:
    """Leave the terminal, and the driver's handlers; end with the driver. SIGTERM waits for its handler."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)  # not SIG_IGN, which commands would inherit
    end_with(driver)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGHUP])


def _before_command(parent: int) -> None:
    """Prepare the new process for the stage's command: nothing of this program's handling of signals stays."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    end_with(parent)


def _outcome(plan: Plan, name: str, root: Path) -> dict[str, str]:
    """Return the state that a stage ends in, and why. `busy`: another process runs it."""
    from dvc.lock import LockError

    try:
        with inherited_lock(file_of(name, ".lock", root)) as descriptor:
            nodes = plan.nodes
            command = RemoteCommand(descriptor, plan.stages[name], root, nodes) if nodes else Command(descriptor)
            signal.signal(signal.SIGTERM, command.stop)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            try:
                return {"state": _reproduce(plan, name, root, command)}
            except LockError as error:
                return {"state": "busy", "why": str(error).splitlines()[0]}
            except Stopped:
                return {"state": "stopped"}
            except Exception as error:
                traceback.print_exc()
                return {"state": "stopped" if command.stopping else "failed", "why": str(error)[:2000]}
    except LockHeldError as error:
        return {"state": "busy", "why": str(error)}


def _reproduce(plan: Plan, name: str, root: Path, command: Command) -> str:
    """Reproduce a stage as `dvc repro --single-item` does; its output goes to its log."""
    from dvc.repo import lock_repo
    from dvc.stage import run

    run._run = command.run
    repo, stage = plan.repo, plan.stages[name]
    with lock_repo(repo), repo.scm_context(quiet=True):
        _refresh(plan, name)
        _log_to(file_of(name, ".log", root))
        if not plan.changed(name):
            return "unchanged"
        stage.run()
        lockfile.record(stage, _new_after(plan, name))
    return "done" if command.started else "from cache"


def _new_after(plan: Plan, name: str) -> set[str]:
    """Return the stages of the same lock file without an entry that `dvc repro` would reproduce after this one."""
    path, names = lock_path(plan.stages[name]), list(plan.pending)
    behind = (plan.stages[other] for other in names[names.index(name) + 1 :] if not plan.entries.get(other))
    return {stage.name for stage in behind if path is not None and lock_path(stage) == path}


def _refresh(plan: Plan, name: str) -> None:
    """Take over what another process has recorded of the stage since the graph was read."""
    from dvc.stage.loader import StageLoader

    stage = plan.stages[name]
    path = lock_path(stage)
    if path is None or lockfile.entries(path).get(stage.name, "") == plan.entries[name] != "":
        return
    if recorded := lockfile.read(path, stage.name):
        stage.cmd_changed = recorded.get("cmd") != stage.cmd
        StageLoader.fill_from_lock(stage, recorded)


def _log_to(path: Path) -> None:
    """Send all output of this process and of the stage's command to a file."""
    from dvc import logger

    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((null, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ["PATH"].split(os.pathsep):  # as where this environment is activated
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    for name in ("dvc", "dvc_objects", "dvc_data"):
        logging.getLogger(name).handlers.clear()
    logger.setup(level=logging.INFO, log_colors=False)
