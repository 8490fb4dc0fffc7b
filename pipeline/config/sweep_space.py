"""The search space of a sweep, in Hydra's grammar: `choice()`, `range()`, `interval()`, and points drawn from it."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError

TRIES = 100  # for each point, until a small space counts as used up


@dataclass(frozen=True, slots=True)
class Options:
    """A set of values, as Hydra writes them."""

    values: tuple[str, ...]

    def draw(self, rng: random.Random) -> str:
        return rng.choice(self.values)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number from `low` to `high`; on a logarithmic scale with `log`, a whole one with `whole`."""

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, rng: random.Random) -> str:
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        if self.whole:
            return str(round(value) if self.log else rng.randint(int(self.low), int(self.high)))
        # Four digits can be typed and read; rounding must not leave the interval.
        return repr(min(max(float(f"{value:.4g}"), self.low), self.high))


Space = dict[str, Options | Interval]


def parse(overrides: Sequence[str]) -> tuple[list[str], Space]:
    """Split overrides into those with one value and the space that the others span.

    `tag(log,interval(a,b))` is on a logarithmic scale, `int(interval(a,b))` whole; `key=a,b` is `choice(a,b)`.

    Raises: ConfigError for what Hydra can't parse, an empty interval, a glob, or if nothing is to be searched.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    fixed, space = [], Space()
    for text in overrides:
        try:
            override = OverridesParser.create().parse_override(text)
            if not override.is_sweep_override():
                fixed.append(text)
                continue
            key = text.partition("=")[0]
            if key in space:
                raise ConfigError(f"{text}: {key} is searched twice. Keep one of the two.")
            space[key] = _axis(override, text)
        except HydraException as error:
            raise ConfigError(f"{text}: {' '.join(str(error).split())}. See `pipeline sweep --help`.") from error
    if not space:
        raise ConfigError(
            "Nothing to search: no override is choice(), range() or interval(). "
            "Add one, such as 'model.optimizer.lr=choice(0.001,0.003)'."
        )
    return fixed, space


def draw(space: Space, trials: int, seed: int) -> list[list[str]]:
    """Up to `trials` different points as overrides, fewer if the space has no more; a seed's are always the same."""
    rng = random.Random(seed)
    points: dict[tuple[str, ...], None] = {}
    for _ in range(TRIES * trials):
        if len(points) == trials:
            break
        points.setdefault(tuple(axis.draw(rng) for axis in space.values()))
    return [[f"{key}={value}" for key, value in zip(space, point, strict=True)] for point in points]


def _axis(override: object, text: str) -> Options | Interval:
    from hydra.core.override_parser.types import Glob, IntervalSweep, Override

    assert isinstance(override, Override)
    sweep = override.value()
    if isinstance(sweep, Glob):
        raise ConfigError(f"{text}: a glob can't be searched. Name the values: choice(a,b).")
    if not isinstance(sweep, IntervalSweep):
        return Options(tuple(dict.fromkeys(override.sweep_string_iterator())))
    assert sweep.start is not None
    assert sweep.end is not None
    interval = Interval(sweep.start, sweep.end, "log" in sweep.tags, isinstance(sweep.start, int))
    if interval.low >= interval.high or (interval.log and interval.low <= 0):
        least = " above 0" if interval.log else ""
        raise ConfigError(f"{text}: expected interval(least,most), the least{least} and below the most.")
    return interval
