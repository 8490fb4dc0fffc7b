"""Getting, checking and showing data sets."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import DataError
from pipeline.graph.outputs import outside
from pipeline.types import Console

Progress = Callable[[str, int, int], None]


def pull(names: Sequence[str], *, root: Path, mirror: str | None, progress: Progress) -> dict[str, str]:
    """Make data sets complete and verified under `data/`; where each came from. Without names, all that can be had.

    Raises: DataError naming what was tried, or what `.dvc` files and `dvc.lock` would have written outside the project.
    """
    if escaped := outside(root):
        raise DataError(
            f"would be written outside the project: {', '.join(escaped)}. Nothing was pulled. "
            "Mend that path, or remove the link it goes through."
        )
    return {
        name: store.pull(name, root / "data", cache_dir=root / ".cache", mirror=mirror, progress=progress)
        for name in names or [name for name in store.FILES if mirror or store.PUBLIC[name]]
    }


def write_manifest(names: Sequence[str], path: Path) -> None:
    """The digests of data sets that were just verified: what a later stage depends on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: store.digest(name) for name in names or store.FILES}, indent=1) + "\n")


def state(name: str, root: Path) -> dict[str, Any]:
    """A data set's digest, size and whether its bytes are there and right."""
    try:
        store.verify(name, root / "data")
        problem = None
    except DataError as error:
        problem = str(error)
    size = sum(file.bytes for file in store.FILES[name])
    return {"name": name, "digest": store.digest(name), "bytes": size, "verified": problem is None, "problem": problem}


def obtain(
    config: Any, overrides: Sequence[str], *, root: Path, config_dir: Path | None, console: Console
) -> tuple[Any, dict[str, Any]]:
    """Make a configuration's data ready; where it can't be had and the user allows it, configure its sample instead.

    Returns: the configuration to run, unresolved and resolved.
    Raises: DataError if the data can't be had and a sample is not allowed or not known.
    """
    plain = resolve(config)
    chosen = plain["data"]
    if chosen["name"] not in store.FILES:
        return config, plain
    try:
        store.pull(
            chosen["name"], root / "data", cache_dir=root / ".cache", mirror=chosen["mirror"], progress=console.download
        )
        return config, plain
    except DataError:
        if not (chosen["allow_sample"] and chosen["sample"]):
            raise
    console.print(
        f"NOT {chosen['name'].upper()}, which can't be had here (`pipeline data pull {chosen['name']}` says why): "
        f"training on the embedded sample {chosen['sample']}."
    )
    kept = [override for override in overrides if not override.startswith("data=")]
    config = load_config(*kept, f"data={chosen['sample']}", root=root, config_dir=config_dir)
    return config, resolve(config)
