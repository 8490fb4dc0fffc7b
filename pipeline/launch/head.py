"""Check within seconds that a cluster's head answers, and that it accepts this user's token.

Ray itself tries for up to a minute, and names a refused token only in its log.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

from pipeline.errors import LaunchError
from pipeline.launch.machine import ray_folder

CONNECT_S = 5
ANSWER_S = 8
HEAD_TRIES = 3


class HeadLost(SystemExit):
    """The cluster's head does not respond any more: the run is interrupted, and can resume on another cluster."""


def check(address: str) -> None:
    """Check that Ray answers at host:port, with this user's token.

    Raises: LaunchError if it does not.
    """
    connect(address)
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError, RayError

    errors: list[RayError] = []
    answered = threading.Event()

    def ask() -> None:
        try:
            GcsClient(address=address)
        except RayError as error:
            errors.append(error)
        answered.set()

    with _without_stderr():  # Ray's own lines, below Python
        threading.Thread(target=ask, name="head", daemon=True).start()
        in_time = answered.wait(ANSWER_S)
    if not in_time:
        raise unreachable(address, f"something accepts connections, but no answer came in {ANSWER_S} s: a hung head?")
    if errors and isinstance(errors[0], AuthenticationError):
        raise refused(address)
    if errors:
        raise unreachable(address, " ".join(str(errors[0]).split())[:200]) from errors[0]


def refused(address: str) -> LaunchError:
    """The error of a wrong or missing token."""
    return LaunchError(
        f"cluster.address={address}: the cluster refuses this token. Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH "
        "to the file with its token."
    )


def reach() -> None:
    """Raises: HeadLost if the head of the connected cluster does not respond several times in a row."""
    import ray

    address = ray.get_runtime_context().gcs_address
    for left in reversed(range(HEAD_TRIES)):
        try:
            connect(address)
            return
        except LaunchError:
            if not left:
                raise HeadLost(75) from None
            time.sleep(1)


def resolve(address: str) -> str:
    """The head's host:port; `auto` is RAY_ADDRESS, else the address that Ray stored when it last started here.

    Raises: LaunchError if `auto` finds none.
    """
    if address == "auto":  # in a job Ray sets the variable to the job's own cluster: a machine may run several
        address = os.environ.get("RAY_ADDRESS") or address
    if address != "auto":
        return address.removeprefix("ray://")
    stored = ray_folder() / "ray/ray_current_cluster"
    if not stored.is_file():
        raise unreachable(address, "Ray does not run on this machine")
    return stored.read_text().strip()


def connect(address: str) -> None:
    """Raises: LaunchError if nothing listens at an address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise LaunchError(f"cluster.address={address}: expected host:port, such as 10.0.0.5:6379, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, ValueError, OverflowError) as error:  # the latter two: no name of a host, no number of a port
        raise unreachable(address, str(error)) from error


def unreachable(address: str, reason: str) -> LaunchError:
    """The error of an address without a cluster."""
    return LaunchError(
        f"cluster.address={address}: no Ray cluster answers there ({reason}). Start one (`ray start --head`, "
        "docs/how-to/cluster.md), correct RAY_ADDRESS or cluster.address, or use cluster=local."
    )


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Discard what this process writes to its standard error while the block runs."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
