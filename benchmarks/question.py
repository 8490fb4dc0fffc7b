"""What is asked of a measurement: contenders, and claims over the pairs, each with its bar."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from benchmarks import harness
from benchmarks.harness import Contender, Pair


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure of each pair and what it should be: at least the bar, or at most."""

    what: str
    value: Callable[[Pair], float]
    bar: float
    form: str = "{:.2f}x"
    least: bool = True

    def values(self, pairs: Sequence[Pair]) -> list[float]:
        """In rising order, of the pairs that have what it compares."""
        found = []
        for pair in pairs:
            with suppress(KeyError):  # an interrupted pair lacks contenders
                found.append(self.value(pair))
        return sorted(found)

    def said(self, pairs: Sequence[Pair]) -> str:
        """The median with its spread, and how many pairs it is of."""
        values = self.values(pairs)
        low, high = self.form.format(values[0]), self.form.format(values[-1])
        return f"**{self.form.format(median(values))}** ({low} to {high}; {len(values)})"

    def holds(self, pairs: Sequence[Pair]) -> bool:
        """Whether the median keeps to the bar."""
        middle = median(self.values(pairs))
        return middle >= self.bar if self.least else middle <= self.bar

    @property
    def asked(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.form.format(self.bar)}"


def ratio(measure: str, over: str, under: str) -> Callable[[Pair], float]:
    """How many times more of something one contender needs than another."""
    return lambda pair: pair[over][measure] / pair[under][measure]


def amount(measure: str, of: str) -> Callable[[Pair], float]:
    return lambda pair: pair[of][measure]


@dataclass(frozen=True, slots=True)
class Question:
    """One command of `benchmarks/` and one section of the page."""

    name: str
    title: str
    text: str  # what is measured and how; what limits a claim that does not hold
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    shown: tuple[str, ...] = ("cpu_s", "wall_s", "peak_mb")  # measures in the table, the first in the picture
    parts: bool = False  # whether these are parts of a whole, and all of them in the picture
    pairs: int = 5
    warm: tuple[str, ...] = ()
    more: Callable[[Sequence[Pair]], str] = lambda pairs: ""  # said of the pairs below the table


def main(question: Question) -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{question.name}")
    parser.add_argument(
        "--pairs", type=int, default=question.pairs, help="how many runs of each contender there shall be"
    )
    parser.add_argument("--again", action="store_true", help="forget those there are")
    arguments = parser.parse_args()
    if arguments.again:
        (harness.RESULTS / f"{question.name}.json").unlink(missing_ok=True)
    # Not in this process: what runs contenders stays small, or its own peak would count as theirs.
    subprocess.run([sys.executable, "-c", "from benchmarks import harness; harness.mnist()"], check=True)
    harness.compare(question.name, question.contenders, arguments.pairs, warm=question.warm)
