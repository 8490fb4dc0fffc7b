"""The places of source code: the package's own, and that of the project whose classes a configuration may call.

A project is a folder whose `pyproject.toml` has the table `[tool.lecture-pipeline]`. Its key `modules` names the
packages of the folder that configurations may call: they are found without being installed, count in fingerprints, and
are sent with jobs. Nothing else widens what a configuration may call, least of all a stored model.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from pipeline.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
PYPROJECT, TABLE = "pyproject.toml", "lecture-pipeline"
VARIABLE = "PIPELINE_PROJECT"  # the project's folder, for this process and those that it starts


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with configurations and packages of its own."""

    root: Path
    modules: tuple[str, ...]  # packages and modules of the folder, by their top-level names


def find_root(start: Path) -> Path | None:
    """The project that contains `start`: the nearest folder that is one, or is a checkout of this package's project."""
    for folder in (start, *start.parents):
        checkout = (folder / "conf/config.yaml").is_file() and (folder / "data.dvc").is_file()
        if project_of(folder) or checkout:
            return folder
    return None


def project_of(root: Path) -> Project | None:
    """The project of one's own in a folder; None if it is none.

    Raises: ConfigError if its table can't be read, or names a package that the folder lacks.
    """
    return _read(root / PYPROJECT)


def use_project(root: Path | None) -> None:
    """Make the folder's project, if it is one, that of this process and of those that it starts."""
    if root and project_of(root):
        os.environ[VARIABLE] = str(root.absolute())
    else:
        os.environ.pop(VARIABLE, None)


def current() -> Project | None:
    """The project of this process: the one that was sent to a cluster, else the one of `use_project`."""
    folder = os.environ.get(VARIABLE)
    return project_of(PACKAGE.parent) or (project_of(Path(folder)) if folder else None)


def file_of(module: str) -> Path | None:
    """The file of a module of this package or of the project's packages; None for any other name."""
    top, own = module.partition(".")[0], current()
    if top == PACKAGE.name:
        return _file(PACKAGE.parent, module)
    return _file(own.root, module) if own and top in own.modules else None


def make_importable() -> None:
    """Let `import` find the project's packages in its folder, before any installed package of the same name."""
    if not any(isinstance(finder, _ProjectFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ProjectFinder())


class _ProjectFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own = current() if path is None else None
        return PathFinder.find_spec(fullname, [str(own.root)]) if own and fullname in own.modules else None


def _file(folder: Path, module: str) -> Path | None:
    place = folder / module.replace(".", "/")
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


@cache
def _read(file: Path) -> Project | None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # of another program, in whose folder this command was typed
        return None
    if f"tool.{TABLE}" not in text:
        return None
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get(TABLE)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML ({error}). Correct it.") from error
    if table is None:
        return None
    where = f"{file}: [tool.{TABLE}]"
    if not isinstance(table, dict) or table.keys() - {"modules"}:
        raise ConfigError(f"{where}: has one key, `modules`, got {table!r}. Remove the others.")
    modules = table.get("modules", [])
    if not isinstance(modules, list) or not all(isinstance(name, str) for name in modules):
        raise ConfigError(f'{where} modules: expected a list such as ["my_package"], got {modules!r}.')
    for name in modules:
        if not name.isidentifier() or name == PACKAGE.name:
            raise ConfigError(f"{where} modules: expected the name of a package of your own, got {name!r}.")
        if not _file(file.parent, name):
            raise ConfigError(
                f"{where} modules: {file.parent} has neither {name}.py nor {name}/__init__.py. Add one, or correct "
                "the name."
            )
    return Project(file.parent, tuple(modules))
