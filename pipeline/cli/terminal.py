"""What a long verb shows while it works: a live bar on a terminal, now and then a line elsewhere; then the result."""

import json
import os
import time
from typing import Any

from pipeline.types import PrimaryMetric


class Terminal:
    """What a verb says while it works: a live bar on a terminal, now and then a line elsewhere."""

    LINES = 20  # of progress, at most, where there is no terminal

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        # A copy: the action sends what libraries print to a log file, below Python's sys.stdout.
        self.file = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self.console = Console(file=self.file, highlight=False, soft_wrap=True)
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
        self.task: Any = None
        self.validation, self.told, self.told_share = "", 0.0, 0.0

    def print(self, line: str) -> None:
        self.console.print(line, markup=False)

    def progress(self, events: list[dict[str, Any]]) -> None:
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
        self._show(f"{done:,}{f'/{total:,}' if total else ''} answers", done, total or 2 * done)
        if done == total:
            self.bar.stop()

    def _show(self, text: str, done: int, total: int) -> None:
        share = done / max(total, 1)
        if share < self.told_share:  # something else has begun
            self.told_share = 0.0
        if self.console.is_terminal:
            self.bar.start()
            if self.task is None:
                self.task = self.bar.add_task(text, total=1.0)
            self.bar.update(self.task, completed=share, description=text)
        elif time.monotonic() - self.told >= 3 and share - self.told_share >= 1 / self.LINES:
            self.told, self.told_share = time.monotonic(), share
            self.print(text)

    def close(self, summary: dict[str, Any], as_json: bool) -> None:
        """The closing block: the result, and the commands that lead on from it."""
        self.bar.stop()
        metrics, data, name = summary["metrics"], summary["dataset"], summary["name"]
        seconds = f"{summary['seconds']:.0f} s in all, {summary['cpu_s']:.0f} CPU-s of training"
        if score := PrimaryMetric.of(metrics):
            rows = f"{data['rows']['test']:,} samples of {data['name']}"
            self.print(f"{f'test {score.name}':14} {score.formatted} on {rows}")
        self.print(f"time           {seconds}")
        self.print(f"run            {name}")
        self.print(f"look at it     pipeline ui {name}")
        self.print(f"score it       pipeline evaluate {name}")
        if as_json:
            keys = ("run_id", "run_dir", "metrics", "dataset", "seconds")
            self.print(json.dumps({key: summary[key] for key in keys}))
        self.file.flush()
