"""The place of the package's own source."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def file_of(module: str) -> Path | None:
    """The file of a module of this package; None for any other name."""
    if module.split(".")[0] != PACKAGE.name:
        return None
    place = PACKAGE.parent / module.replace(".", "/")
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)
