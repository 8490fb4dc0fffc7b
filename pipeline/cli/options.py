"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import conf_dirs, find_root
from pipeline.config.source import project_of
from pipeline.errors import ConfigError


def project_root() -> Path:
    """Return the project that contains the current folder; without one (an installed package) the current folder."""
    return find_root(Path.cwd()) or Path.cwd()


def required_project() -> Path:
    """Return the project that contains the current folder.

    Raises: ConfigError if there is none.
    """
    root = find_root(Path.cwd())
    if root is None:
        raise ConfigError(
            f"{Path.cwd()}: is not in a project, which this command needs. Change to a project's folder, or make one: "
            "`pipeline new my_project`."
        )
    return root


def lecture_project() -> Path:
    """Return the checkout of the lecture's project that contains the current folder.

    Raises: ConfigError in a project of one's own, and outside any.
    """
    root = required_project()
    if project_of(root):
        raise ConfigError(
            f"{root}: this command is about the lecture's experiments, in a checkout of lecture-pipeline. "
            "`pipeline report` shows this project's results."
        )
    return root


def _complete(incomplete: str) -> list[str]:
    """Return the `group=choice` that the shell's completion offers."""
    files = [file for folder in conf_dirs(find_root(Path.cwd())) for file in folder.glob("*/*.yaml")]
    choices = sorted({f"{file.parent.name}={file.stem}" for file in files})
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
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        envvar="PIPELINE_STORAGE",
        help="s3://BUCKET/PREFIX, or file:///FOLDER of a shared folder: the run is copied there with each checkpoint, "
        "and can be resumed on another machine.",
    ),
]
