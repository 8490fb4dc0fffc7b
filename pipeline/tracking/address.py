"""Where runs are tracked: the addresses that can be, and what is wrong with those that can't."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.redaction import redact
from pipeline.errors import LaunchError

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def resolve_uri(uri: str, root: Path) -> str:
    """A relative `sqlite:///` path belongs to the project, whatever folder the command was typed in."""
    path = re.fullmatch(r"sqlite:///(?!/)(.+)", uri)
    return f"sqlite:///{str(root).replace('%', '%25')}/{path[1]}" if path else uri


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def check(uri: str, root: Path) -> None:
    """Raises: LaunchError for an address that no waiting will mend; a server that is down is none."""
    shown = f"tracking.uri={redact(uri)}"
    parts = urlsplit(uri)
    if is_server(uri):
        if not parts.hostname:
            raise LaunchError(f"{shown}: names no host. Use http://HOST:PORT.")
    elif parts.scheme.partition("+")[0] not in DATABASES:
        raise LaunchError(
            f"{shown}: neither a server nor a data base. Use http(s)://…, postgresql://… or sqlite:///runs/mlflow.db."
        )
    elif parts.scheme.startswith("sqlite"):
        _check_file(Path(urlsplit(resolve_uri(uri, root)).path.removeprefix("/").replace("%25", "%")), shown)


def _check_file(file: Path, shown: str) -> None:
    there = next(place for place in (file, *file.parents) if place.exists())
    if there != file and not there.is_dir():
        raise LaunchError(f"{shown}: can't be made, {there} is a file. Give another path.")
    if file.is_dir() or not os.access(there, os.W_OK):
        raise LaunchError(f"{shown}: {there} can't be written. Mend its rights, or give another path.")
    if there == file and file.stat().st_size:
        with file.open("rb") as content:
            if content.read(16) != b"SQLite format 3\0":
                raise LaunchError(f"{shown}: {file} is not an SQLite data base. Give another path.")
