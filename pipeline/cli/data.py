"""Verbs about the data sets."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json, project_root
from pipeline.cli.terminal import Terminal

app = typer.Typer(help="Get, check and show the data sets.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="mnist, imdb; all of them if none is named.")] = None,
    mirror: Annotated[
        str | None,
        typer.Option(envvar="PIPELINE_DATA_MIRROR", help="A folder, file or URL asked before the public ones."),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Also write the digests here, as JSON.")] = None,
) -> None:
    """Make data sets complete and verified under data/.

    Example: pipeline data pull mnist
    """
    from pipeline.actions import data

    console = Terminal()
    for name, source in data.pull(names or [], root=project_root(), mirror=mirror, progress=console.download).items():
        print(f"{name}: verified ({source})")
    if manifest:
        data.write_manifest(names or [], manifest)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="mnist, imdb; all if none is named.")] = None,
) -> None:
    """Check every byte of the data sets; exit code 2 if one is missing or wrong.

    Example: pipeline data verify mnist
    """
    from pipeline.data import store

    for name in names or store.FILES:
        store.verify(name, project_root() / "data")
        print(f"{name}: verified, digest {store.digest(name)}")


@app.command()
def show(as_json: Json = False) -> None:
    """List the data sets: digest, size, and whether they are here.

    Example: pipeline data show
    """
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.actions.data import state
    from pipeline.data import store

    with ThreadPoolExecutor() as pool:  # digests are computed side by side
        states = list(pool.map(partial(state, root=project_root()), store.FILES))
    for one in states:
        verdict = "verified" if one["verified"] else f"not complete: `pipeline data pull {one['name']}`"
        print(f"{one['name']:8} {one['digest'][:12]}  {one['bytes'] / 1e6:6.1f} MB  {verdict}")
    if as_json:
        print(json.dumps({"data": states}))
