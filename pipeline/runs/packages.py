"""Locked versions of the distributions that code needs at run time."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.markers import Marker


def locked(names: Iterable[str], lock: Path) -> dict[str, str]:
    """The locked versions of the distributions that provide top-level modules `names`, and of their requirements.

    Without a lock file there is nothing to compare: {}.
    """
    if not lock.is_file():
        return {}
    pinned = _pins(lock.read_text())
    return {name: pinned[name] for name in sorted(_required(frozenset(names), frozenset(pinned)))}


@cache
def _required(names: frozenset[str], pinned: frozenset[str]) -> frozenset[str]:
    """The pinned distributions that provide top-level modules, and what those require here, in canonical spelling.

    What else is installed, such as a linter, is not followed: it may require what is pinned.
    """
    waiting = [(own, frozenset[str]()) for name in names for own in _providers().get(name, [name])]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if _canonical(name) in pinned and (_canonical(name), extras) not in seen:
            seen.add((_canonical(name), extras))
            waiting += _requirements(name, extras)
    return frozenset(name for name, _ in seen)


@cache
def _providers() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


@cache
def _requirements(distribution: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """The distributions, with their extras, that an installed one requires on some platform or Python.

    Only `extra` in a marker is evaluated: fingerprints are the same on every machine, and the lock file, which was made
    on one, lists what is really installed.
    """
    from packaging.requirements import Requirement

    try:
        lines = [Requirement(line) for line in metadata.requires(distribution) or []]
    except metadata.PackageNotFoundError:
        return []
    return [
        (line.name, frozenset(line.extras))
        for line in lines
        if line.marker is None or "extra" not in str(line.marker) or _selected(line.marker, extras)
    ]


def _selected(marker: "Marker", extras: frozenset[str]) -> bool:
    return any(marker.evaluate({"extra": extra}) for extra in extras)


def _pins(lock: str) -> dict[str, str]:
    pairs = re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    return {_canonical(name): version for name, version in pairs}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
