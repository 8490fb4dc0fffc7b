"""Verbs that repeat results and judge what is repeated."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options import project_root

app = typer.Typer()


@app.command()
def plan(folder: Annotated[Path, typer.Argument(help="Where to write the plans, as EXPERIMENT.json.")]) -> None:
    """Write what each experiment's result depends on: its configuration, data and code, with digests.

    Example: pipeline plan prepared/plan
    """
    from pipeline.actions.plan import write

    written = write(project_root(), folder)
    print(f"{len(written)} plans in {folder}")
