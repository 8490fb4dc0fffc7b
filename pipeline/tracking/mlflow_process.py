"""MLflow in a process of its own: it imports MLflow (2 s) while this one imports torch and Lightning.

The process is forked while its parent has no threads, before torch, and ends with its parent: it reads from pipes that
only the parent, and what the parent forks, can write to. Where it can't be forked (macOS, a notebook with threads),
MLflow is called in this process.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import cast

from pipeline.config.compose import LATER
from pipeline.errors import PipelineError
from pipeline.tracking.mlflow_store import MLflowStore, OutageError
from pipeline.tracking.system_metrics import MachineMonitor

OUTPUT = (1, 2)  # the descriptors of what a process prints


@dataclass(frozen=True, slots=True)
class MLflow:
    """What a run calls of MLflow, from one thread each."""

    store: MLflowStore
    monitor: MachineMonitor


@contextmanager
def start(uri: str, root: Path) -> Iterator[MLflow]:
    """The MLflow at an address, in a process that lives as long as the block."""
    if uri == LATER or sys.platform != "linux" or threading.active_count() > 1:
        yield MLflow(MLflowStore(uri, root), MachineMonitor())
        return
    context = multiprocessing.get_context("fork")
    calls, measurements = context.Pipe(), context.Pipe()
    mine, theirs = zip(calls, measurements, strict=True)
    process = context.Process(target=_serve, args=(uri, root, theirs, mine), name="mlflow", daemon=True)
    process.start()
    for end in theirs:
        end.close()
    store, monitor = (Remote(end, int(process.pid or 0)) for end in mine)
    try:
        yield MLflow(cast(MLflowStore, store), cast(MachineMonitor, monitor))
    finally:
        process.kill()
        process.join()
        for end in mine:
            end.close()


class Remote:
    """Calls the methods of an object in another process. Raises: what they raise; OutageError if that process ended."""

    def __init__(self, connection: Connection, pid: int):
        self.connection, self.pid, self.connected = connection, pid, False

    def translated_errors(self) -> AbstractContextManager[None]:
        """Errors come translated: the other process does that."""
        return nullcontext()

    def __getattr__(self, method: str) -> partial[object]:
        return partial(self._call, method)

    def _call(self, method: str, *arguments: object) -> object:
        try:
            if not self.connected:  # what the process prints goes, from now on, where this one prints
                for descriptor in OUTPUT:
                    send_handle(self.connection, descriptor, self.pid)
                self.connected = True
            self.connection.send((method, arguments))
            value, error = self.connection.recv()
        except (EOFError, OSError) as lost:
            raise OutageError("the process that calls MLflow ended") from lost
        if error:
            raise error
        return value


def _serve(uri: str, root: Path, ends: tuple[Connection, Connection], parents: tuple[Connection, Connection]) -> None:
    """Answer calls until the parent has ended, which handles all signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for end in parents:
        end.close()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in OUTPUT:
        os.dup2(nowhere, descriptor)
    store = MLflowStore(uri, root)
    with suppress(Exception):  # the first call meets it again, and its caller learns of it
        store.preload()
    threading.Thread(target=_answer, args=(ends[1], MachineMonitor(), nullcontext), daemon=True).start()
    _answer(ends[0], store, store.translated_errors)


def _answer(connection: Connection, target: object, guard: Callable[[], AbstractContextManager[None]]) -> None:
    with suppress(EOFError, OSError):
        for descriptor in OUTPUT:
            handle = recv_handle(connection)
            os.dup2(handle, descriptor)
            os.close(handle)
        while True:
            method, arguments = connection.recv()
            value: object = None
            error: Exception | None = None
            try:
                with guard():
                    value = getattr(target, method)(*arguments)
            except PipelineError as known:
                error = known
            except Exception as unknown:  # which may not be portable
                traceback.print_exc()
                error = RuntimeError(repr(unknown))
            connection.send((value, error))
