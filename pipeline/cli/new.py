"""The verb that starts a project of one's own."""

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make; its name is also that of its package.")],
) -> None:
    """Start a project of your own: data, models and code.

    It depends on this package and holds no copy of it. `modules` in its pyproject.toml names the packages that its
    configurations may call.

    Example: pipeline new my_project
    """
    from pipeline.actions.new import create

    place = os.path.relpath(create(folder))
    print(
        f"made        {place}: conf/, {Path(place).name.replace('-', '_')}/, tests/, dvc.yaml; README.md explains them"
    )
    print(f"next        cd {place} && pipeline train")
