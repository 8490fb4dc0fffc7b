"""A benchmark: its contenders, and claims about them, each with a threshold."""

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
    """A value computed from each pair, and its threshold: a least value, or a most."""

    name: str
    value: Callable[[Pair], float]
    limit: float
    form: str = "{:.2f}x"
    least: bool = True

    def values(self, pairs: Sequence[Pair]) -> list[float]:
        """The values of all complete pairs, in rising order."""
        values = []
        for pair in pairs:
            with suppress(KeyError):  # an interrupted pair lacks contenders
                values.append(self.value(pair))
        return sorted(values)

    def measured(self, pairs: Sequence[Pair]) -> str:
        """Median, least and greatest value, and the number of pairs, in Markdown."""
        values = self.values(pairs)
        low, high = self.form.format(values[0]), self.form.format(values[-1])
        return f"**{self.form.format(median(values))}** ({low} to {high}; {len(values)})"

    def holds(self, pairs: Sequence[Pair]) -> bool:
        """Whether the median meets the threshold."""
        middle = median(self.values(pairs))
        return middle >= self.limit if self.least else middle <= self.limit

    @property
    def threshold(self) -> str:
        """The limit with its direction."""
        return f"{'≥' if self.least else '≤'} {self.form.format(self.limit)}"


def ratio(measure: str, over: str, under: str) -> Callable[[Pair], float]:
    """A measure of one contender divided by that of another."""
    return lambda pair: pair[over][measure] / pair[under][measure]


def amount(measure: str, of: str) -> Callable[[Pair], float]:
    """A measure of one contender."""
    return lambda pair: pair[of][measure]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One command of `benchmarks/` and one section of the page."""

    name: str
    title: str
    text: str  # what is measured and how; what limits the contenders where a claim does not hold
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    shown: tuple[str, ...] = ("cpu_s", "wall_s", "peak_mb")  # measures in the table, the first in the figure
    parts: bool = False  # whether these are parts of a whole, so that the figure shows all
    pairs: int = 5
    warm: tuple[str, ...] = ()  # trainings that come first, each by its words
    more: Callable[[Sequence[Pair]], str] = lambda pairs: ""  # Markdown below the table, from the pairs


def main(benchmark: Benchmark) -> None:
    """Measure the pairs that are missing."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}")
    parser.add_argument("--pairs", type=int, default=benchmark.pairs, help="number of runs of each contender")
    parser.add_argument("--again", action="store_true", help="discard earlier runs")
    arguments = parser.parse_args()
    if arguments.again:
        (harness.RESULTS / f"{benchmark.name}.json").unlink(missing_ok=True)
    # In another process: the memory of this one counts as a contender's peak, so it has to stay small.
    subprocess.run([sys.executable, "-c", "from benchmarks import harness; harness.mnist()"], check=True)
    harness.compare(benchmark.name, benchmark.contenders, arguments.pairs, warm=benchmark.warm)
