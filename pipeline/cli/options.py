"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import conf_dir, find_root


def project_root() -> Path:
    """The project, or where there is none (an installed package) the current folder."""
    return find_root(Path.cwd()) or Path.cwd()


def _complete(incomplete: str) -> list[str]:
    """`group=choice` for the shell's completion."""
    folder = conf_dir(find_root(Path.cwd()))
    choices = [f"{file.parent.name}={file.stem}" for file in sorted(folder.glob("*/*.yaml"))]
    return [choice for choice in choices if choice.startswith(incomplete)]


Overrides = Annotated[
    list[str] | None, typer.Argument(help="Hydra overrides: group=choice or key=value.", autocompletion=_complete)
]
ConfigDir = Annotated[Path | None, typer.Option(help="A folder with your own data/, model/, experiment/ … files.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what the libraries print.")]
Record = Annotated[
    bool, typer.Option("--record", help="Keep the result, as DVC's stages do: in models/ or evaluations/.")
]
RecordAs = Annotated[
    str | None, typer.Option(metavar="NAME", help="Like --record, under this name instead of EXPERIMENT-SEED.")
]
Run = Annotated[str, typer.Argument(help="A run's name or the start of it, its MLflow id, its folder, or 'latest'.")]
