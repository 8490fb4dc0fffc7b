"""Ray's token. Its holder can run code on the cluster, so only the owner may read its file."""

import os
import secrets
from pathlib import Path

from pipeline.errors import LaunchError


def token_file() -> Path | None:
    """The file of this user's token, made private if it was not; None without one.

    Raises: LaunchError if it can't be made private.
    """
    path = _path()
    if not path.is_file():
        return None
    if path.stat().st_mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:  # of another user, or mounted read-only
            raise LaunchError(
                f"{path}: others may read Ray's token, and its mode can't be changed ({error.strerror}). Copy it to a "
                "file of mode 0600, and name that in RAY_AUTH_TOKEN_PATH."
            ) from error
    return path


def ensure() -> None:
    """Create a token unless there is one, before Ray starts: Ray would make its file readable by everyone.

    Raises: LaunchError if it can't be created.
    """
    if "RAY_AUTH_TOKEN" in os.environ or token_file():
        return
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if path.is_file():  # another command has just created it
            return
        raise LaunchError(
            f"{path}: Ray's token can't be created ({error.strerror}). Name a place for it in RAY_AUTH_TOKEN_PATH."
        ) from error
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))


def _path() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
