"""Run the stages of a plan, several at once: whatever its dependencies allow, the longest path first."""

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pipeline.config import load_config, resolve
from pipeline.graph import costs, worker
from pipeline.graph.plan import Plan
from pipeline.launch.machine import available_cores
from pipeline.launch.stages import Nodes, nodes
from pipeline.runs import interruption

MEMORY_PER_STAGE = 1.5e9  # bytes; most trainings stay below
BUSY_S = 0.5  # until a stage that another process runs is tried again
TICK_S = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FINAL = ("done", "from cache", "unchanged")


@dataclass(slots=True)
class Progress:
    """A stage's way: waiting, running, then done, from cache, unchanged, failed, stopped or skipped."""

    name: str
    estimate_s: float
    state: str = "waiting"
    why: str = ""
    log: Path | None = None
    started: float = 0.0  # time.monotonic()
    seconds: float = 0.0
    not_before: float = 0.0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started if self.state == "running" else self.seconds


Show = Callable[["Driver", Progress | None], None]  # called with a stage whose state has changed, and on every tick


@dataclass(slots=True)
class Driver:
    """The loop: starts what is ready, collects what has ended, passes signals on."""

    plan: Plan
    root: Path
    jobs: int
    keep_going: bool
    show: Show
    stages: dict[str, Progress] = field(default_factory=dict)
    rank: dict[str, float] = field(default_factory=dict)
    running: dict[int, tuple[int, str]] = field(default_factory=dict)  # descriptor -> process, stage
    signals: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Run until nothing is left that may run."""
        cost = costs.costs(self.plan.pending, self.root)
        needs = {name: self.plan.needs[name] for name in self.plan.pending}
        self.rank = costs.ranks(needs, cost)
        self.stages = {name: Progress(name, cost[name]) for name in self.plan.pending}
        with selectors.DefaultSelector() as selector, interruption.handling(self._pass_on, *SIGNALS):
            while True:
                self._start(selector)
                if not self.running and not self._tries_again():
                    break
                for key, _ in selector.select(TICK_S if self.running else BUSY_S):
                    selector.unregister(key.fd)
                    self._end(key.fd)
                self.show(self, None)

    @property
    def failed(self) -> list[Progress]:
        return [stage for stage in self.stages.values() if stage.state == "failed"]

    @property
    def closed(self) -> bool:
        """Whether no further stage is started."""
        return bool(self.signals) or (bool(self.failed) and not self.keep_going)

    def _tries_again(self) -> bool:
        return not self.closed and any(self._may_run(stage) for stage in self.stages.values())

    def _may_run(self, stage: Progress) -> bool:
        needs = (self.stages.get(needed) for needed in self.plan.needs[stage.name])
        return stage.state == "waiting" and all(needed is None or needed.state in FINAL for needed in needs)

    def _start(self, selector: selectors.BaseSelector) -> None:
        now = time.monotonic()
        ready = [stage for stage in self.stages.values() if self._may_run(stage) and stage.not_before <= now]
        for stage in sorted(ready, key=lambda stage: -self.rank[stage.name])[: self.jobs - len(self.running)]:
            if self.closed:
                return
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # so that each reaches every stage once
            process, descriptor = worker.fork(self.plan, stage.name, self.root)
            self.running[descriptor] = process, stage.name
            stage.state, stage.started = "running", now
            stage.log = worker.file_of(stage.name, ".log", self.root)
            selector.register(descriptor, selectors.EVENT_READ)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self.show(self, stage)

    def _end(self, descriptor: int) -> None:
        """Take over the outcome of a stage whose process has ended."""
        with os.fdopen(descriptor, "rb") as pipe:
            text = pipe.read()
        process, name = self.running.pop(descriptor)
        _, status = os.waitpid(process, 0)
        stage = self.stages[name]
        code = os.waitstatus_to_exitcode(status)
        outcome = json.loads(text) if text else {"state": "failed", "why": f"its process ended with code {code}"}
        stage.seconds = time.monotonic() - stage.started
        stage.state, stage.why = outcome["state"], outcome.get("why", "")
        if stage.state == "busy":
            stage.state, stage.not_before = "waiting", time.monotonic() + BUSY_S
        elif stage.state == "failed":
            self._skip_behind(stage)
        self.show(self, stage)

    def _skip_behind(self, failed: Progress) -> None:
        for name in self.plan.behind(failed.name) & self.stages.keys():
            self.stages[name].state, self.stages[name].why = "skipped", f"{failed.name} failed"

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Send a Ctrl-C, SIGTERM or SIGHUP to the running stages, as SIGTERM."""
        self.signals.append(number)
        for process, _ in list(self.running.values()):
            os.kill(process, signal.SIGTERM)


@contextmanager
def cluster_nodes(overrides: Sequence[str], root: Path, plan: Plan) -> Iterator[Nodes | None]:
    """The cluster that overrides choose, for the stages of a plan while the block runs; None for this machine alone.

    Raises: LaunchError if the cluster can't be used.
    """
    cluster = resolve(load_config(*overrides, root=root))["cluster"] if overrides and plan.pending else {}
    if not cluster.get("address"):
        yield None
        return
    with nodes(cluster, root) as plan.nodes:
        yield plan.nodes


def default_jobs() -> int:
    """Return how many stages run at once: one a core, and no more than find memory."""
    import psutil

    return max(1, min(available_cores(), int(psutil.virtual_memory().available / MEMORY_PER_STAGE)))
