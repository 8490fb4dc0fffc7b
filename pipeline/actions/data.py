"""Download, verify and describe data sets."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypedDict

from pipeline.config import load_config, resolve
from pipeline.data import store
from pipeline.errors import DataError, PipelineError
from pipeline.files import atomic_write
from pipeline.graph.outputs import outside
from pipeline.types import Config, Console

if TYPE_CHECKING:  # imports torch
    from pipeline.actions.label_check import LabelCheck
    from pipeline.config.compose import DictConfig
    from pipeline.data.own.found import Found

SHOWN = 20  # classes with their counts, in the terminal
Progress = Callable[[str, int, int], None]


def check(path: Path, text_column: str | None, label_column: str | None, *, root: Path | None) -> "Found":
    """Look at a user's data as training does. In a project, its cache keeps what was decoded for training.

    A fault is part of the result, with what else is known.
    """
    from pipeline.actions.few_samples import transferred
    from pipeline.data.own.look import failed, look
    from pipeline.data.own.tables import Columns

    path, columns = path.expanduser(), Columns(text_column, label_column)
    with TemporaryDirectory() as scratch:
        cache = (root or Path(scratch)) / ".cache"
        try:
            return transferred(look(path, columns, root=root, cache=cache))
        except PipelineError as error:
            return failed(path, columns, error)


def describe(path: Path, found: "Found", labels: "LabelCheck | None" = None) -> Iterator[str]:
    """Lines for the terminal on what was found, the command that trains on it last."""
    from pipeline.data.own.found import shown_set_aside

    yield f"data        {path}: {found.format}"
    if found.splits:
        yield f"splits      {', '.join(f'{split} {rows:,}' for split, rows in found.splits.items())}"
        classes = [f"{label} {rows:,}" for label, rows in found.classes.items()]
        yield f"classes     {len(classes):,}: {', '.join(classes[:SHOWN])}" + ", …" * (len(classes) > SHOWN)
    yield from shown_set_aside(found.set_aside)
    yield from (remark for remark in found.remarks if remark != found.error)
    if labels:
        yield from labels.lines()
    if found.command:
        yield f"train       {found.command}"


def pull(names: Sequence[str], *, root: Path, mirror: str | None, progress: Progress) -> dict[str, str]:
    """Download data sets into `data/` and verify them; without names, all that can be downloaded.

    Returns: the source of each.
    Raises: DataError with the sources that were tried, or the outputs of `.dvc` files and `dvc.lock` that lie outside
    the project.
    """
    if escaped := outside(root):
        raise DataError(
            f"DVC would write outside the project: {', '.join(escaped)}. Nothing was downloaded. "
            "Correct that path, or remove the link in it."
        )
    return {
        name: store.pull(name, root / "data", cache_dir=root / ".cache", mirror=mirror, progress=progress)
        for name in names or [name for name in store.FILES if mirror or store.PUBLIC[name]]
    }


def write_manifest(names: Sequence[str], path: Path) -> None:
    """Write the digests of verified data sets, on which later stages depend, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({name: store.digest(name) for name in names or store.FILES}, indent=1) + "\n")


class DataState(TypedDict):
    """A data set in `data/`."""

    name: str
    digest: str
    bytes: int
    verified: bool
    problem: str | None


def state(name: str, root: Path) -> DataState:
    """Return a data set's name, digest, bytes, whether it is complete and verified, and the problem if not."""
    try:
        store.verify(name, root / "data")
        problem = None
    except DataError as error:
        problem = str(error)
    size = sum(file.bytes for file in store.FILES[name])
    return {"name": name, "digest": store.digest(name), "bytes": size, "verified": problem is None, "problem": problem}


def obtain(
    config: "DictConfig", overrides: Sequence[str], *, root: Path, config_dir: Path | None, console: Console
) -> "tuple[DictConfig, Config]":
    """Download a configuration's data; where that fails and the user allows it, configure its sample instead.

    Returns: the configuration to run, unresolved and resolved.
    Raises: DataError if the download fails and the data has no sample or the user does not allow it.
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
        f"NOT {chosen['name'].upper()}, which can't be downloaded here (`pipeline data pull {chosen['name']}` shows "
        f"why): training on the embedded sample {chosen['sample']}."
    )
    others = [override for override in overrides if not override.startswith("data=")]
    config = load_config(*others, f"data={chosen['sample']}", root=root, config_dir=config_dir)
    return config, resolve(config)
