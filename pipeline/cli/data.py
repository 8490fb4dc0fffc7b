"""Verbs about the data sets."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json, project_root
from pipeline.cli.terminal import Terminal
from pipeline.config import find_root
from pipeline.errors import DataError

app = typer.Typer(
    help="Check your own data; download, verify and list the data sets.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A folder, archive, table (CSV, TSV, JSON Lines, Parquet) or IDX set.")],
    text_column: Annotated[str | None, typer.Option(help="The column of a table that holds the texts.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The column of a table that holds the classes.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Also name labels that look wrong; trains small classifiers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at own data before training: format, splits, duplicates.

    Prints the command that trains on it. Exit code 2 if it can't be trained on.

    Example: pipeline data check letters.csv
    """
    from pipeline.actions.data import check as look
    from pipeline.actions.data import describe

    found = look(path, text_column, label_column, root=find_root(Path.cwd()))
    checked = None
    if labels and not found.error:
        from pipeline.actions.label_check import check_labels

        checked = check_labels(path, text_column, label_column)
    for line in describe(path, found, checked):
        print(line)
    if as_json:
        print(json.dumps({**found.json(), **({"labels": asdict(checked)} if checked else {})}))
    if found.error:
        raise DataError(found.error)


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="mnist, imdb …; default: all that can be downloaded.")
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            envvar="PIPELINE_DATA_MIRROR", help="A folder, file or URL that is tried before the public sources."
        ),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="A JSON file to write the digests to.")] = None,
) -> None:
    """Download data sets into data/ and verify every byte.

    What is there already is not downloaded again.

    Example: pipeline data pull mnist
    """
    from pipeline.actions import data

    with Terminal() as console:
        sources = data.pull(names or [], root=project_root(), mirror=mirror, progress=console.download)
    for name, source in sources.items():
        print(f"{name}: verified ({source})")
    if manifest:
        data.write_manifest(names or [], manifest)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="mnist, imdb …; default: all that can be downloaded or are here.")
    ] = None,
) -> None:
    """Verify every byte of the data sets.

    Exit code 2 if one is missing or wrong.

    Example: pipeline data verify mnist
    """
    from pipeline.data import store

    folder = project_root() / "data"
    for name in names or [name for name in store.FILES if not store.needs_mirror(name, folder)]:
        store.verify(name, folder)
        print(f"{name}: verified, digest {store.digest(name)}")


@app.command()
def show(as_json: Json = False) -> None:
    """List the data sets: digest, size, whether they are complete.

    Example: pipeline data show
    """
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.actions.data import state
    from pipeline.data import store

    with ThreadPoolExecutor() as pool:  # digests are computed in parallel
        states = list(pool.map(partial(state, root=project_root()), store.FILES))
    width = max(map(len, store.FILES))
    for data_set in states:
        verdict = "verified" if data_set["verified"] else f"not complete: `pipeline data pull {data_set['name']}`"
        if store.needs_mirror(data_set["name"], project_root() / "data"):
            verdict = "not here; only a mirror has it"
        print(f"{data_set['name']:{width}}  {data_set['digest'][:12]}  {data_set['bytes'] / 1e6:6.1f} MB  {verdict}")
    if as_json:
        print(json.dumps({"data": states}))
