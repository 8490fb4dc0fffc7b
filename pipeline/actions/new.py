"""Write a project of one's own, which depends on this package: its files are those of `project_template/`."""

import shutil
import subprocess
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from pipeline.config.source import PACKAGE
from pipeline.errors import ConfigError
from pipeline.files import atomic_folder

# The suffix keeps git, DVC and linters from taking a file for one of this project's own.
TEMPLATE, SUFFIX = PACKAGE / "project_template", ".template"
PLACEHOLDER = "my_project"
HIDDEN = {"gitignore": ".gitignore", "dvc": ".dvc"}


def create(folder: Path) -> Path:
    """Write a project into a new folder, with a git repository where there is git and none around it.

    The name of its package is the folder's, with `_` for `-`.

    Raises: ConfigError if the folder exists, or its name can't be a package's.
    """
    folder = folder.absolute()
    package = folder.name.replace("-", "_")
    if folder.exists() or folder.is_symlink():
        raise ConfigError(f"{folder}: exists already. Choose another name.")
    if not (package.isidentifier() and package.isascii() and package == package.lower()) or iskeyword(package):
        raise ConfigError(
            f"{folder.name}: expected a name of small letters, digits and _, a letter first, such as my_project."
        )
    if package in ("tests", "conf") or find_spec(package):
        raise ConfigError(f"{package}: is the name of an installed package or of a folder in it. Choose another name.")
    atomic_folder(folder, lambda aside: _write(aside, package))
    _start_repository(folder)
    return folder


def _write(folder: Path, package: str) -> None:
    for file in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        parts = file.relative_to(TEMPLATE).with_suffix("").parts
        target = folder.joinpath(*(HIDDEN.get(part, part).replace(PLACEHOLDER, package) for part in parts))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text(encoding="utf-8").replace(PLACEHOLDER, package), encoding="utf-8")


def _start_repository(folder: Path) -> None:
    if shutil.which("git") and subprocess.run(["git", "-C", str(folder), "rev-parse"], capture_output=True).returncode:
        subprocess.run(["git", "-C", str(folder), "init", "--quiet"], capture_output=True, check=False)
