"""Artifact locations of a project that was moved or copied: MLflow stores absolute ones, in its data base."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import LaunchError
from pipeline.tracking.address import database_file

ARTIFACTS = "runs/artifacts"  # below a project's root, one folder an experiment
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def artifact_location(root: Path, experiment: str) -> str:
    """The URI below which a project stores an experiment's artifacts."""
    return (root / ARTIFACTS / experiment).as_uri()


def relocate(uri: str, root: Path) -> list[str]:
    """Let the data base of a project that was moved or copied point to the artifacts below `root`.

    Only a data base inside the project is changed, in one transaction; one that several projects share is not.

    Returns: the former roots; [] if nothing was moved.
    Raises: LaunchError, with nothing changed, if a former root holds artifacts that `root` lacks.
    """
    file = database_file(uri, root)
    if file is None or not file.is_file() or not file.is_relative_to(root):
        return []
    with closing(sqlite3.connect(file, timeout=2)) as database, database:
        former = _former_roots(database, root)
        for place in former:
            if (place / ARTIFACTS).is_dir() and not (root / ARTIFACTS).is_dir():
                raise LaunchError(
                    f"{file}: names artifacts in {place / ARTIFACTS}, which were not copied along. Copy them: "
                    f"`cp -r {place / ARTIFACTS} {root / ARTIFACTS}`. Then run again."
                )
            _replace(database, (place / ARTIFACTS).as_uri(), (root / ARTIFACTS).as_uri())
    return [str(place) for place in former]


def _former_roots(database: sqlite3.Connection, root: Path) -> list[Path]:
    """Roots other than `root` below which experiments store artifacts as this project does."""
    if not database.execute("select 1 from sqlite_master where name = 'experiments'").fetchone():
        return []
    rows = database.execute("select name, artifact_location from experiments").fetchall()
    places = {place for name, location in rows if (place := _root(name, location))}
    # The same folder by another name (a link, a mount) is not another one.
    return sorted(place for place in places if not (place.exists() and place.samefile(root)))


def _root(experiment: str, location: str | None) -> Path | None:
    """The root of the project that an experiment was made in; None if its location is not a project's."""
    parts = urlsplit(location or "")
    path, below = unquote(parts.path), f"/{ARTIFACTS}/{experiment}"
    return Path(path.removesuffix(below)) if parts.scheme == "file" and path.endswith(below) else None


def _replace(database: sqlite3.Connection, former: str, new: str) -> None:
    """Replace a prefix of locations, at a folder's end."""
    for table, column in COLUMNS:
        database.execute(
            f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",  # noqa: S608
            (new, len(former) + 1, len(former) + 1, f"{former}/"),
        )
