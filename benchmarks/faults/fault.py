"""What a fault is, what one injection of it did, and where that is kept."""

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
    """What one injected fault did."""

    held: bool  # whether what is expected came true
    recovery_s: float | None = None  # from the fault to the first optimiser step that was not done before
    steps_lost: int | None = None  # optimiser steps that had to be done again
    goodput: float | None = None  # the share of a run's training time that went into steps not done before
    note: str = ""  # what went otherwise, or is worth telling


Measure = Callable[[Path, Random], Trial]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the page; a row's number may appear several times, for several ways to meet the fault."""

    row: int
    title: str
    expected: str
    tests: tuple[str, ...] = ()  # tests/….py::name, each of which injects it
    measure: Measure | None = None  # injects it once, in an empty folder, at a random time
    by_hand: str = ""  # what was observed where there is no test, and why there is none

    @property
    def name(self) -> str:
        """What its measurement is called, and the file it is kept in."""
        return self.measure.__name__ if self.measure else ""

    def trials(self) -> list[Trial]:
        """What was measured so far."""
        file = RESULTS / f"{self.name}.json"
        if not self.measure or not file.is_file():
            return []
        return [Trial(**trial) for trial in json.loads(file.read_text())["trials"]]

    def keep(self, trials: list[Trial]) -> None:
        """Write what was measured, whole or not at all."""
        file = RESULTS / f"{self.name}.json"
        file.parent.mkdir(exist_ok=True)
        aside = file.with_suffix(".aside")
        content = {"row": self.row, "cores": os.cpu_count(), "trials": [asdict(trial) for trial in trials]}
        aside.write_text(json.dumps(content, indent=1) + "\n")
        aside.replace(file)
