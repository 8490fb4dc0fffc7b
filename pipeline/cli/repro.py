"""The verb that reproduces DVC's graph in parallel, and its table."""

import contextlib
import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Json, required_project
from pipeline.cli.terminal import Terminal
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.graph.driver import Driver, Progress
    from pipeline.graph.plan import Plan

app = typer.Typer()
OVERRIDE = re.compile(r"cluster(\.\w+)?=")  # of the configuration, among stages
NODES = (1, 2, 10, 100)
FINISHED_ROWS = 8  # of the live table; running stages are all shown


@app.command()
def repro(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stages or .dvc files, as for `dvc repro`; and cluster=ray (cluster.address=HOST:PORT) to train and "
            "evaluate on a cluster's nodes."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Stages at once. Default: one a core, as memory allows; one a CPU of a cluster."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run and how long it would take; run nothing.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", "-k", help="After a failure, run what does not depend on the failed stage.")
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Leave alone what is recorded and only missing here, as in a new clone; what stages that run read is "
            "made again.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring DVC's stages up to date, several at once.

    It leaves what `dvc repro` leaves. Repeat it after an interruption: finished stages stay finished.

    On a cluster, each training and evaluation takes one CPU of whichever node has one free.

    Example: pipeline repro quick --jobs 2
    """
    from pipeline.graph import driver, plan

    root = plan.find_dvc_root(Path.cwd()) or required_project()
    overrides = [word for word in targets or [] if OVERRIDE.match(word)]
    stages = [word for word in targets or [] if not OVERRIDE.match(word)]
    with contextlib.chdir(root), plan.load(root, stages, allow_missing) as loaded, Terminal() as terminal:
        if dry_run:
            _print_plan(loaded, root, terminal, as_json)
            return
        view = View(terminal, len(loaded.stages) - len(loaded.pending))
        with driver.cluster_nodes(overrides, root, loaded) as nodes:
            default = nodes.cpus if nodes else driver.default_jobs()
            if nodes:
                terminal.print(f"cluster     {nodes.address}: {nodes.cpus} CPUs, for trainings and evaluations")
            loop = driver.Driver(loaded, root, jobs or default, keep_going, view.show)
            with view:
                loop.run()
        if not loop.signals:
            _track(loop, root, targets or [], terminal)
        _close(loop, view, as_json)


def _track(loop: "Driver", root: Path, targets: list[str], terminal: Terminal) -> None:
    """Record the reproduction in MLflow; without MLflow it is complete, too."""
    from pipeline.graph.tracking import track

    try:
        run_id = track(loop, root, targets)
    except PipelineError as error:
        terminal.print(f"WARNING     this reproduction is not recorded in MLflow: {error}")
    else:
        if run_id:
            terminal.print(f"MLflow      {run_id}, with the trainings below it")


def _print_plan(loaded: "Plan", root: Path, terminal: Terminal, as_json: bool) -> None:
    """Print what would run, and the time it would take on so many nodes."""
    from pipeline.graph import costs

    needs = {name: loaded.needs[name] for name in loaded.pending}
    cost = costs.costs(needs, root)
    path = costs.longest_path(needs, cost)
    times = {str(nodes): costs.simulate(needs, cost, nodes) for nodes in NODES}
    for name, why in loaded.pending.items():
        terminal.print(f"{name:44} {cost[name]:8.0f} s  {why}")
    terminal.print(f"{len(needs)} stages to run, {len(loaded.stages) - len(needs)} up to date")
    if needs:
        for nodes, seconds in times.items():
            terminal.print(f"{f'{nodes} at once':>12}: {_duration(seconds):>9}, estimated from recorded costs")
        terminal.print(f"longest path: {_duration(sum(cost[name] for name in path))}, {' -> '.join(path)}")
    if as_json:
        stages = {name: {"estimate_s": cost[name], "why": why} for name, why in loaded.pending.items()}
        terminal.print(json.dumps({"stages": stages, "seconds_by_nodes": times, "longest_path": path}))


def _duration(seconds: float) -> str:
    """Return a time as `1 h 05 min`, `3 min` or `12 s`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _close(loop: "Driver", view: "View", as_json: bool) -> None:
    """Print the summary, and set the exit code: 1 after a failure, as an interruption's where there was one."""
    from pipeline.errors import Interrupted
    from pipeline.runs.interruption import EXIT_CODES

    show = view.terminal.print
    for stage in loop.failed:
        show(f"failed: {stage.name}: {stage.why}. Log: {stage.log and os.path.relpath(stage.log)}")
    counts = Counter(stage.state for stage in loop.stages.values())
    counts["unchanged"] += view.unchanged
    show(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no stages")
    if as_json:
        fields = ("state", "why", "seconds", "log")
        stages = {s.name: {key: _plain(getattr(s, key)) for key in fields} for s in loop.stages.values()}
        show(json.dumps({"stages": stages, "counts": {state: count for state, count in counts.items() if count}}))
    if loop.signals:
        code = EXIT_CODES[signal.Signals(loop.signals[0])]
        raise Interrupted("interrupted; finished stages are recorded. Continue with the same command", code)
    if loop.failed:
        raise typer.Exit(1)


def _plain(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value if value is None else str(value)


class View:
    """The stages while they run: a live table on a terminal, a line for each finished stage elsewhere."""

    def __init__(self, terminal: Terminal, unchanged: int):
        from rich.live import Live

        self.terminal, self.unchanged = terminal, unchanged
        console = terminal.console
        # Without a thread that redraws, for the driver forks.
        self.live = (
            Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
            if console.is_terminal
            else None
        )
        self.finished: list[Progress] = []
        self.announced = False

    def __enter__(self) -> "View":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, loop: "Driver", stage: "Progress | None") -> None:
        """Show a stage whose state has changed; None: time has passed."""
        if loop.signals and not self.announced:
            self.announced = True
            self.terminal.print("stopping the running stages with their state stored; once more to stop them at once")
        if stage is not None and stage.state not in ("running", "waiting"):
            self.finished.append(stage)
            if not self.live or stage.state == "failed":
                self.terminal.print(f"{stage.name:44} {stage.state:10} {stage.seconds:8.1f} s")
                self.terminal.file.flush()
        if self.live:
            self.live.update(self._table(loop), refresh=True)

    def _table(self, loop: "Driver") -> "Table":
        from rich.table import Table

        stages = list(loop.stages.values())
        running = [stage for stage in stages if stage.state == "running"]
        waiting = [stage for stage in stages if stage.state == "waiting"]
        left = sum(stage.estimate_s for stage in waiting) + sum(max(s.estimate_s - s.elapsed, 0) for s in running)
        ended = len(stages) - len(running) - len(waiting)
        title = f"{ended} of {len(stages)} stages, about {_duration(left / loop.jobs)} left"
        table = Table("stage", "state", "seconds", "estimate", title=title)
        for stage in [*self.finished[-FINISHED_ROWS:], *running]:
            table.add_row(stage.name, stage.state, f"{stage.elapsed:.0f}", f"{stage.estimate_s:.0f}")
        return table
