"""The Ray cluster that a run uses, by its address; and a private one for sweeps."""

import atexit
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Any

from pipeline.errors import LaunchError
from pipeline.launch.auth_token import ensure
from pipeline.launch.placement import bounds as bounds
from pipeline.launch.placement import cores as cores

CONNECT_S = 5
HEAD_TRIES = 3
RAY_BYTES = 100_000_000  # of logs and sockets; a session of an hour writes a fifth of it
# Ray's defaults notice a hung worker after 600 s and wait 60 s for one that can't be placed.
HEALTH = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "5",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # the driver looks itself
    # Of a private cluster; an existing one reads them as it starts: docs/cluster.md.
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
# On a busy machine Ray takes 40 s to start, and gives itself 30.
START = {"RAY_agent_register_timeout_ms": "120000"}


class HeadLost(SystemExit):
    """The cluster's head is gone, and with it this driver's cluster: an interruption that another cluster can mend."""


def check(cluster: dict[str, Any]) -> None:
    """Find out within seconds whether the cluster can be had.

    Raises: LaunchError if nothing answers at the address, or this machine has too few cores.
    """
    if cluster.get("address"):
        _reach(_resolved(cluster["address"]))
        return
    (_, most), threads = bounds(cluster), cluster["threads_per_worker"]
    if most > 1 and most * threads > cores():
        raise LaunchError(
            f"cluster.workers={most} with cluster.threads_per_worker={threads} needs {most * threads} cores, "
            f"this machine has {cores()}. Lower one of them."
        )


@contextmanager
def connect(cluster: dict[str, Any]) -> Iterator[None]:
    """Use the cluster at the configured address for as long as the block runs; without one, do nothing.

    Raises: LaunchError if it can't be had.
    """
    check(cluster)
    if not cluster.get("address"):
        yield
        return
    _set(HEALTH)
    import ray
    from ray.exceptions import AuthenticationError

    address = cluster.get("address")
    try:
        ray.init(address=_resolved(str(address)), log_to_driver=True)
    except AuthenticationError as error:
        raise LaunchError(
            f"cluster.address={address}: the cluster wants another token ({str(error).splitlines()[0]}). "
            "Set RAY_AUTH_TOKEN_PATH to the file with its token."
        ) from error
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise _unreachable(str(address), str(error).splitlines()[0]) from error
    try:
        yield
    except HeadLost:
        # Ray would wait for its head for a minute, and then end this process in its own way.
        atexit.register(os._exit, 75)
        raise
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def start(cpus: int, **options: Any) -> None:
    """Start a Ray of its own on this machine, not the one that RAY_ADDRESS may name; `options` are `ray.init`'s.

    Raises: LaunchError if it does not start, or would find no room for what it writes.
    """
    import ray

    if (free := disk_usage(_temporary()).free) < RAY_BYTES:
        raise LaunchError(
            f"{_temporary()}: {free:,} bytes free, and Ray would write up to {RAY_BYTES:,} there. "
            "Make room, or set RAY_TMPDIR to another folder."
        )
    ensure()
    _set(START)
    try:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options)
    except Exception as error:  # Ray raises no more special one
        raise LaunchError(
            f"Ray does not start on this machine ({str(error).splitlines()[0]}). Is it overloaded?"
        ) from error


def resolve_gpus(cluster: dict[str, Any]) -> int:
    """GPUs per worker: what was asked for, or for `auto` 1 where there is one for every worker.

    Raises: LaunchError if a GPU was asked for and there is none.
    """
    asked, (least, _) = cluster["gpus_per_worker"], bounds(cluster)
    if cluster.get("address"):
        import ray

        found, where = int(ray.cluster_resources().get("GPU", 0)), "the cluster has"
    else:
        import torch

        found, where = torch.cuda.device_count() if torch.cuda.is_available() else 0, "torch sees"
    if asked == 1 and found < least:
        raise LaunchError(
            f"cluster.gpus_per_worker=1 with cluster.workers={least}, but {where} {found or 'no'} GPU"
            f"{'' if found < 2 else 's'}. Use cluster.gpus_per_worker=auto, or add GPUs."
        )
    return int(found >= least) if asked == "auto" else int(asked)


def draining() -> set[str]:
    """The ids of nodes that were asked to go."""
    from ray._private.state import state  # no public call tells, except through the dashboard

    return set(state.get_draining_nodes())


def reach_head() -> None:
    """Raises: HeadLost if the head of the connected cluster has not answered several times in a row."""
    import ray

    address = ray.get_runtime_context().gcs_address
    for left in reversed(range(HEAD_TRIES)):
        try:
            _reach(address)
            return
        except LaunchError:
            if not left:
                raise HeadLost(75) from None
            time.sleep(1)


def room(cluster: dict[str, Any]) -> int:
    """How many workers the nodes that are alive could hold if nothing else ran on them."""
    import ray

    wanted = per_worker(cluster)
    leaving = draining()
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["NodeID"] not in leaving]
    return sum(min(int(has.get(what, 0) // amount) for what, amount in wanted.items()) for has in alive)


def per_worker(cluster: dict[str, Any]) -> dict[str, float]:
    """The resources of one worker."""
    gpus = cluster["gpus_per_worker"]
    return {"CPU": cluster["threads_per_worker"], **({"GPU": gpus} if gpus else {})}


def _set(variables: dict[str, str]) -> None:
    """Set what the user has not set."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _temporary() -> Path:
    """Where Ray keeps its logs, its sockets and what does not fit into memory."""
    return Path(os.environ.get("RAY_TMPDIR", "/tmp"))  # noqa: S108


def _resolved(address: str) -> str:
    """The head's host:port; `auto` is what Ray noted on this machine, in a place of its own, as it started here.

    Raises: LaunchError if `auto` finds none.
    """
    if address != "auto":
        return address.removeprefix("ray://")
    note = _temporary() / "ray/ray_current_cluster"
    if not note.is_file():
        raise _unreachable(address, "Ray does not run on this machine")
    return note.read_text().strip()


def _reach(address: str) -> None:
    """Raises: LaunchError if nothing listens there; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise LaunchError(f"cluster.address={address}: expected host:port, such as 10.0.0.5:6379, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, why: str) -> LaunchError:
    return LaunchError(
        f"cluster.address={address}: no Ray cluster answers there ({why}). Start one (`ray start --head`, "
        "docs/cluster.md), correct RAY_ADDRESS or cluster.address, or use cluster=local."
    )
