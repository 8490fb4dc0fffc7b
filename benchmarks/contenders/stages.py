"""`pipeline train` in this process, with the CPU-seconds that each stage takes.

`python -m benchmarks.contenders.stages OVERRIDE…`, in the folder of a project. A stage's seconds exclude
those of stages nested in it, such as an import or a checkpoint.
"""

import builtins
import functools
import importlib
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from benchmarks.contenders.common import report

PLACES = {
    "configuration": ["config.compose:load_config", "config.compose:resolve", "runs.fingerprint:identity"],
    "data": ["actions.train:obtain", "config.instantiate:build_data", "data.batches:BatchedData.describe"],
    "steps": ["actions.execute:_fit"],
    "checkpoints": ["training.checkpointing:Checkpoints._take", "training.fit:store_model"],
    "validation": ["tasks.classification:Classification.validation_step"],
    "test and pictures": ["actions.assess:assess", "report.figures:learning_curves"],
    "portable model": ["actions.export:onnx_example"],
}
REST = "rest"


class Stages:
    """CPU-seconds of the main thread by stage; nested stages are not counted twice."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.stack, self.since, self.thread = [REST], 0.0, get_ident()

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        if get_ident() != self.thread:
            yield
            return
        self._turn()
        self.stack.append(stage)
        try:
            yield
        finally:
            self._turn()
            self.stack.pop()

    def _turn(self) -> None:
        now = time.thread_time()
        self.spent[self.stack[-1]] += now - self.since
        self.since = now

    def wrap(self, stage: str, place: str) -> None:
        module, _, names = place.partition(":")
        *path, name = names.split(".")
        owner = functools.reduce(getattr, path, importlib.import_module(f"pipeline.{module}"))
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.within(stage):
                return inner(*args, **kwargs)

        for user in [owner, *sys.modules.values()]:  # also where it was imported by name
            if getattr(user, name, None) is inner:
                setattr(user, name, timed)


def main(*overrides: str) -> None:
    stages = Stages()
    plain_import = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        with stages.within("imports"):
            return plain_import(name, *args, **kwargs)

    builtins.__import__ = importing
    from pipeline.cli import main as cli

    importlib.import_module("pipeline.training.fit")
    for stage, places in PLACES.items():
        for place in places:
            stages.wrap(stage, place)
    sys.argv = ["pipeline", "train", *overrides]
    try:
        cli()
    except SystemExit as end:
        if end.code:
            raise
    with stages.within(REST):
        pass
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    stages.spent["beside (MLflow)"] = time.process_time() - time.thread_time() + beside.ru_utime + beside.ru_stime
    report(**stages.spent)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
