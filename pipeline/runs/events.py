"""Append-only event log of a run: training writes it, the progress display and the MLflow uploader read it.

Readers never slow training. One JSON object a line. Training writes {"time", "step", "epoch"}, the last one of an
epoch with its "metrics" and the "cpu_s" so far; the driver adds events for MLflow. A torn last line (a crash while
writing) is not read until it is complete, and skipped once other lines follow it.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from pipeline.errors import DataError
from pipeline.runs.repeat import repeating
from pipeline.types import Event

NAME = "events.jsonl"


class EventLog:
    """Appends events; each line reaches the operating system before `append` returns."""

    def __init__(self, run_dir: Path):
        self.path = run_dir / NAME
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # a crash tore the last line: it must not swallow the next one

    def append(self, **event: Unpack[Event]) -> None:
        """Write one event. Raises: DataError if the disk is full or fails."""
        line = json.dumps({"time": time.time(), **event}).encode() + b"\n"
        try:
            written = os.write(self._file, line)
            if written < len(line):
                os.write(self._file, line[written:])  # raises the reason
        except OSError as error:
            raise DataError(
                f"{self.path}: {error.strerror}: {len(line):,} bytes do not fit. Make room, then `pipeline resume`."
            ) from error

    def close(self) -> None:
        os.close(self._file)


def scan(run_dir: Path, start: int = 0) -> Iterator[tuple[Event, int]]:
    """The events from byte `start` on, each with the byte after it."""
    path = run_dir / NAME
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            try:
                yield json.loads(line), start
            except ValueError:  # torn
                continue


def read(run_dir: Path, start: int = 0) -> tuple[list[Event], int]:
    """Training's events from byte `start` on, and the byte from which to read next."""
    events = list(scan(run_dir, start))
    return [event for event, _ in events if "step" in event], events[-1][1] if events else start


@contextmanager
def follow(run_dir: Path, consume: Callable[[list[Event]], None], every_s: float = 0.5) -> Iterator[None]:
    """Hand new events to `consume` from a thread of its own for as long as the block runs, then the rest of them."""
    start = 0

    def take() -> None:
        nonlocal start
        events, start = read(run_dir, start)
        if events:
            consume(events)

    try:
        with repeating(take, every_s, "events"):
            yield
    finally:
        take()
