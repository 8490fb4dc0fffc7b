"""Ray's token: whoever has it can run code on the cluster, so its file is the owner's alone."""

import os
import secrets
from pathlib import Path


def token_file() -> Path | None:
    """Where this user's token stands, made private if it was not; None if there is none."""
    path = _path()
    if not path.is_file():
        return None
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path


def ensure() -> None:
    """Make sure of a token before Ray starts here: Ray itself would make its file readable by everyone."""
    if "RAY_AUTH_TOKEN" in os.environ or token_file():
        return
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))


def _path() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
