"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import conf_dir, find_root


def project_root() -> Path:
    """Return the project that contains the current folder; without one (an installed package) the current folder."""
    return find_root(Path.cwd()) or Path.cwd()


def _complete(incomplete: str) -> list[str]:
    """Return the `group=choice` that the shell's completion offers."""
    folder = conf_dir(find_root(Path.cwd()))
    choices = [f"{file.parent.name}={file.stem}" for file in sorted(folder.glob("*/*.yaml"))]
    return [choice for choice in choices if choice.startswith(incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Hydra overrides: group=choice or key=value. `pipeline config` lists the keys.", autocompletion=_complete
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(help="A folder of your own with data/, model/, experiment/ … YAML files, searched beside conf/."),
]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object as the last line.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the libraries' output, which otherwise goes to the run's log.txt.")
]
Record = Annotated[
    bool,
    typer.Option(
        "--record",
        help="Also store the result in models/ or evaluations/, as DVC's stages do. Refused for uncommitted code.",
    ),
]
RecordAs = Annotated[
    str | None, typer.Option(metavar="NAME", help="As --record, under this name instead of EXPERIMENT-SEED.")
]
Run = Annotated[
    str,
    typer.Argument(
        help="A run's name or its first characters, its MLflow id, its folder, 'latest', or EXPERIMENT@latest."
    ),
]
