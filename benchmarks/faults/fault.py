"""A fault, the trials that injected it, and their file."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Trial:
    """The effect of one injected fault."""

    held: bool  # whether the expected behaviour was observed
    recovery_s: float | None = None  # from the fault to the first new optimiser step
    steps_lost: int | None = None  # optimiser steps that were repeated
    goodput: float | None = None  # the part of a run's training time spent on new steps
    note: str = ""  # circumstances, and deviations from what was expected


Measure = Callable[[Path, Random], Trial]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the page; a row's number may occur several times, for several forms of the fault."""

    row: int
    title: str
    expected: str
    tests: tuple[str, ...] = ()  # tests/….py::name, each of which injects it
    measure: Measure | None = None  # injects it once, in an empty folder, at a random time
    by_hand: str = ""  # what was observed, where there is no test, and why there is none

    @property
    def name(self) -> str:
        """The name of its measurement and of the results file."""
        return self.measure.__name__ if self.measure else ""

    def trials(self) -> list[Trial]:
        """The trials measured so far."""
        file = RESULTS / f"{self.name}.json"
        if not self.measure or not file.is_file():
            return []
        return [Trial(**trial) for trial in json.loads(file.read_text())["trials"]]

    def save(self, trials: list[Trial]) -> None:
        """Write the trials, whole or not at all."""
        file = RESULTS / f"{self.name}.json"
        file.parent.mkdir(exist_ok=True)
        aside = file.with_suffix(".aside")
        content = {"row": self.row, "cores": os.cpu_count(), "trials": [asdict(trial) for trial in trials]}
        aside.write_text(json.dumps(content, indent=1) + "\n")
        aside.replace(file)
