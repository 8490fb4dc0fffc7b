"""Ray's token. Its holder can run code on the cluster, so only the owner may read its file."""

import os
import secrets
from pathlib import Path


def token_file() -> Path | None:
    """The file of this user's token, made private if it was not; None without one."""
    path = _path()
    if not path.is_file():
        return None
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path


def ensure() -> None:
    """Create a token unless there is one, before Ray starts: Ray would make its file readable by everyone."""
    if "RAY_AUTH_TOKEN" in os.environ or token_file():
        return
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))


def _path() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
