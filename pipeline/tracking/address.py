"""Addresses of tracking stores: which are accepted, and what is wrong with those that are not."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.config.compose import LATER
from pipeline.config.redaction import redact
from pipeline.errors import LaunchError

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
PROXIES = [case(name) for name in ("http_proxy", "https_proxy", "all_proxy") for case in (str.lower, str.upper)]
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def resolve_uri(uri: str, root: Path) -> str:
    """Resolve a relative `sqlite:///` path against the project's root, whatever the current folder is."""
    path = re.fullmatch(r"sqlite:///(?!/)(.+)", uri)
    return f"sqlite:///{str(root).replace('%', '%25').replace('?', '%3F')}/{path[1]}" if path else uri


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def database_file(uri: str, root: Path) -> Path | None:
    """The file of an SQLite store; None for any other store."""
    if not urlsplit(uri).scheme.startswith("sqlite"):
        return None
    parts = urlsplit(resolve_uri(uri, root), allow_fragments=False)  # "#" is part of the path, as in SQLAlchemy
    return Path(unquote(parts.path.removeprefix("/")))


def bypass_proxy() -> None:
    """Exempt loopback from HTTP_PROXY in this process and its children; nothing changes where no proxy is set.

    `requests` and `urllib` read `no_proxy` before `NO_PROXY`, so both get the hosts that either names.
    """
    if not any(os.environ.get(name) for name in PROXIES):
        return
    hosts = [host for name in ("no_proxy", "NO_PROXY") for host in os.environ.get(name, "").split(",") if host]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys((*hosts, *LOOPBACK)))


def check(uri: str, root: Path) -> None:
    """Raises: LaunchError for an address that can never work; one whose server is down may work later."""
    shown = f"tracking.uri={redact(uri)}"
    try:
        parts = urlsplit(uri)
    except ValueError:  # http://[::1:5000
        parts = urlsplit("")
    if uri == LATER:
        return
    if is_server(uri):
        if not parts.hostname:
            raise LaunchError(f"{shown}: names no host. Use http://HOST:PORT.")
    elif parts.scheme.partition("+")[0] not in DATABASES:
        raise LaunchError(
            f"{shown}: neither a server nor a data base. Use http(s)://…, postgresql://… or sqlite:///runs/mlflow.db."
        )
    elif file := database_file(uri, root):
        _check_file(file, shown)


def _check_file(file: Path, shown: str) -> None:
    # Not `Path.exists`, which before Python 3.12 raises an error below a folder that can't be read.
    nearest = next(place for place in (file, *file.parents) if os.access(place, os.F_OK))
    if nearest != file and not nearest.is_dir():
        raise LaunchError(f"{shown}: can't be created, {nearest} is a file. Give another path.")
    if (nearest == file and file.is_dir()) or not os.access(nearest, os.W_OK):
        raise LaunchError(f"{shown}: {nearest} can't be written. Fix its permissions, or give another path.")
    if nearest == file and file.stat().st_size:
        with file.open("rb") as content:
            if content.read(16) != b"SQLite format 3\0":
                raise LaunchError(f"{shown}: {file} is not an SQLite data base. Give another path.")
