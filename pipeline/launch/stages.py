"""Send commands of DVC's stages to the nodes of a Ray cluster, for processes that know no Ray.

The driver of a reproduction forks a process for each stage, and Ray's client has threads, which a fork would break. A
process of its own therefore holds the one connection to the cluster, and answers the forks on a socket.
"""

import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from pipeline.errors import LaunchError, PipelineError
from pipeline.types import Config

POLL_S = 1.0
START_S = 180.0  # of the process that connects to the cluster
TRAVELS = (["pipeline", "train"], ["pipeline", "evaluate"])  # all other commands take seconds, and read the project
SHELL = re.compile(r"[;&|<>$`]")  # a command with these is more than one program with its arguments


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage's command; the files and folders that it reads and writes, relative to the project; its log."""

    name: str
    command: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a command: its exit code, and the reason if it did not succeed."""

    code: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Nodes:
    """The cluster, as the driver's forks reach it."""

    socket: str
    key: bytes
    cpus: int
    address: str

    def run(self, stage: Stage) -> "Running":
        """Hand a stage over."""
        connection = Client(self.socket, "AF_UNIX", self.key)
        connection.send(stage)
        return Running(connection)


@dataclass(frozen=True, slots=True)
class Running:
    """A stage that waits for a node, or runs on one."""

    connection: "Connection[Stage | str, Ended]"

    def stop(self) -> None:
        """Ask the command to store its state and end."""
        with suppress(OSError):
            self.connection.send("stop")

    def wait(self) -> Ended:
        """Raises: LaunchError if the connection to the cluster is lost."""
        try:
            ended: Ended = self.connection.recv()
        except EOFError as error:
            raise LaunchError("The process that is connected to the cluster has ended. Repeat the command.") from error
        return ended


def travels(command: str) -> bool:
    """Whether a stage's command runs on any node; else it runs on the driver's machine."""
    return command.split()[:2] in TRAVELS and not SHELL.search(command)


@contextmanager
def nodes(cluster: Config, root: Path) -> Iterator[Nodes]:
    """Connect to a cluster while the block runs.

    Raises: LaunchError if it can't be used.
    """
    from pipeline.launch import head

    head.check(head.resolve(cluster["address"]))
    with tempfile.TemporaryDirectory(prefix="repro-") as folder:  # short: a socket's path has at most 107 bytes
        key, path = os.urandom(32), f"{folder}/socket"
        receiving, sending = get_context("spawn").Pipe(duplex=False)
        process = get_context("spawn").Process(target=_serve, args=(cluster, root, path, key, sending), daemon=True)
        process.start()
        sending.close()
        try:
            answer = receiving.recv() if receiving.poll(START_S) else _unusable(cluster, "does not answer in time")
        except EOFError:
            answer = _unusable(cluster, "has ended")
        try:
            if isinstance(answer, str):
                raise LaunchError(answer)
            yield Nodes(path, key, answer, cluster["address"])
        finally:
            process.terminate()
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


def _unusable(cluster: Config, why: str) -> str:
    return (
        f"cluster.address={cluster['address']}: the process that connects to it {why}. Repeat the command; if that "
        "does not help, read the log of the cluster's head, or leave out cluster=ray."
    )


def _serve(cluster: Config, root: Path, path: str, key: bytes, answer: "Connection[int | str, None]") -> None:
    """Serve the driver's forks until this process is terminated."""
    from pipeline.launch import cluster as clusters
    from pipeline.launch.parent import end_with

    end_with(os.getppid())
    for number in (signal.SIGINT, signal.SIGHUP):  # of a terminal: the driver handles them
        signal.signal(number, signal.SIG_IGN)
    os.chdir(root)
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):  # Ray's messages
            os.dup2(null, descriptor)
        with clusters.connect(cluster), Listener(path, "AF_UNIX", authkey=key) as listener:
            import ray

            from pipeline.launch.stage_dispatcher import Dispatcher

            dispatcher = Dispatcher(root)
            answer.send(max(1, int(ray.cluster_resources().get("CPU", 0))))
            while True:
                connection = listener.accept()
                threading.Thread(target=dispatcher.serve, args=(connection,), daemon=True).start()
    except PipelineError as error:
        answer.send(str(error))
