"""The models of other experiments that a configuration requires, by name."""

import re

from pipeline.config import Config

FIXED = re.compile(r".+-\d+")  # EXPERIMENT-SEED


def names(config: Config) -> list[str]:
    """All models that a configuration requires, as EXPERIMENT-SEED."""
    return [*filter(None, [judge(config)]), *built_on(config)]


def built_on(config: Config) -> list[str]:
    """The models that decide a configuration's weights, as EXPERIMENT-SEED: their cost is part of its cost."""
    return [*filter(None, [init_from(config), teacher(config)]), *members(config)]


def judge(config: Config) -> str | None:
    """The classifier by which a generator is evaluated, as EXPERIMENT-SEED; None without one."""
    return _seeded(config, "judge")


def init_from(config: Config) -> str | None:
    """The model whose weights training starts from, as EXPERIMENT-SEED; None if they are random."""
    return _seeded(config, "init_from")


def teacher(config: Config) -> str | None:
    """The model that labels the samples without a label, as EXPERIMENT-SEED; None without one."""
    return _seeded(config, "teacher")


def members(config: Config) -> list[str]:
    """An ensemble's members, as EXPERIMENT-SEED.

    Ensembles of different seeds share no member: of k members that are the same EXPERIMENT, the i-th has the seed
    k * seed + i.
    """
    listed = config["requires"].get("members") or []
    return [
        name if FIXED.fullmatch(name) else f"{name}-{config['seed'] * listed.count(name) + listed[:place].count(name)}"
        for place, name in enumerate(listed)
    ]


def _seeded(config: Config, key: str) -> str | None:
    name: str | None = config["requires"].get(key)
    return name if not name or FIXED.fullmatch(name) else f"{name}-{config['seed']}"
