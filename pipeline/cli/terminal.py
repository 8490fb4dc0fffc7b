"""Progress of a long verb: a live bar on a terminal, a line now and then elsewhere; then the result."""

import json
import os
import sys
import time
from io import TextIOWrapper
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipeline.types import Event, PrimaryMetric

if TYPE_CHECKING:  # takes long to import
    from rich.progress import TaskID

    from pipeline.runs.records import RunRecord

LABEL = 16  # columns before a value, in the closing block


class Output(TextIOWrapper):
    """Standard output as UTF-8, which takes what nobody reads any more: a training outlives `| head -1`."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def standard_output() -> Output:
    """Return a copy of standard output: the action sends what libraries print to a log file, below Python's own."""
    sys.stdout.flush()
    return Output(os.fdopen(os.dup(1), "wb"), encoding="utf-8", errors="replace")


class Terminal:
    """Where a verb prints while it works. As a context it removes its bar at the end, also after an error."""

    LINES = 20  # of progress, at most, where there is no terminal
    EVERY_S = 3.0  # at most one of them in this time

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.file = standard_output()
        self.console = Console(file=self.file, highlight=False, emoji=False, soft_wrap=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            redirect_stdout=False,  # what libraries print belongs in the log, not above the bar
            redirect_stderr=False,
        )
        self.task: TaskID | None = None
        self.validation, self.printed_at, self.printed_share = "", 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()
        self.file.close()

    def print(self, line: str) -> None:
        self.console.print(line, markup=False)

    def progress(self, events: list[Event]) -> None:
        for event in events:
            if score := PrimaryMetric.of(event.get("metrics", {}), "val"):
                self.validation = f"  val {score}"
            if "notice" in event:
                self.print(event["notice"])
            if "total" in event:
                text = (
                    f"epoch {event['epoch'] + 1}  step {event['step']:,}/{event['total']:,}  loss {event['loss']:.3f}"
                )
                self._show(text + self.validation, event["step"], event["total"])

    def download(self, label: str, done: int, total: int) -> None:
        self._show(f"{label}  {done / 1e6:.1f}/{total / 1e6:.1f} MB", done, total)

    def predictions(self, done: int, total: int) -> None:
        self._show(f"{done:,}{f'/{total:,}' if total else ''} predictions", done, total or 2 * done)
        if done == total:
            self.bar.stop()

    def _show(self, text: str, done: int, total: int) -> None:
        share = done / max(total, 1)
        if share < self.printed_share:  # of another piece of work
            self.printed_share = 0.0
        if self.console.is_terminal:
            self.bar.start()
            if self.task is None:
                self.task = self.bar.add_task(text, total=1.0)
            self.bar.update(self.task, completed=share, description=text)
        elif time.monotonic() - self.printed_at >= self.EVERY_S and share - self.printed_share >= 1 / self.LINES:
            self.printed_at, self.printed_share = time.monotonic(), share
            self.print(text)

    def row(self, label: str, value: str) -> None:
        """Print a line of the closing block."""
        self.print(f"{label:{LABEL}}{value}")

    def close(self, summary: "RunRecord", as_json: bool) -> None:
        """Print a run's result, and the commands that lead on from it."""
        self.bar.stop()
        metrics, data, name = summary["metrics"], summary["dataset"], summary["name"]
        if score := PrimaryMetric.of(metrics):
            rows = f"{data['rows']['test']:,} samples of {data['name']}"
            self.row(f"test {score.name}", f"{score.formatted} on {rows}")
        self.row("time", f"{summary['seconds']:.0f} s in all, {summary['cpu_s']:.0f} CPU-s of training")
        self.row("run", name)
        self.row("open in MLflow", f"pipeline ui {name}")
        self.row("evaluate", f"pipeline evaluate {name}")
        if as_json:
            keys = ("run_id", "run_dir", "metrics", "dataset", "seconds")
            self.print(json.dumps({key: summary.get(key) for key in keys}))
        self.file.flush()
