"""Is this machine ready? One line a check, each with the next step where it is not."""

import os
import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.actions.data import state
from pipeline.data import store
from pipeline.graph.outputs import outside

STACK = ("torch", "lightning", "ray", "mlflow", "hydra-core", "dvc")
UI_PORT = 5000
NEEDED_BYTES = 2 * 10**9  # data, one run's checkpoints and MLflow's artifacts, with room to spare


def checks(root: Path) -> list[tuple[str, bool, str]]:
    """(what, whether it is well, what was found and the next step)."""
    found = [("python", sys.version_info >= (3, 11), platform.python_version())]
    found += [_package(name) for name in STACK]
    free = shutil.disk_usage(root).free
    found.append(("disk", free >= NEEDED_BYTES, f"{free / 1e9:.1f} GB free at {root}"))
    found.append(
        ("project", os.access(root, os.W_OK), f"{root}" if os.access(root, os.W_OK) else f"{root} can't be written")
    )
    escaped = outside(root)
    told = f"would write outside the project: {', '.join(escaped)}. Don't `dvc pull`." if escaped else "stays inside"
    found.append(("dvc", not escaped, told))
    for name in store.FILES:
        data = state(name, root)
        found.append(
            (
                f"data {name}",
                data["verified"],
                f"digest {data['digest'][:12]}" if data["verified"] else f"not here: `pipeline data pull {name}`",
            )
        )
    owner = port_owner(UI_PORT)
    found.append(
        ("port", owner is None, f"{UI_PORT} is {f'used by {owner}: `pipeline ui --port …`' if owner else 'free'}")
    )
    found.append(("cluster", *_cluster()))
    database = root / "runs/mlflow.db"
    found.append(("tracking", True, str(database) if database.is_file() else f"{database}, made by the first run"))
    return found


def port_owner(port: int) -> str | None:
    """Who listens on a loopback port, as `pid 123 (name)`; None if nobody does."""
    import psutil

    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)):
            return None
    try:
        pids = [
            c.pid
            for c in psutil.net_connections("tcp")
            if c.status == "LISTEN" and c.laddr and c.laddr.port == port and c.pid
        ]
    except psutil.AccessDenied:
        pids = []
    return f"pid {pids[0]} ({psutil.Process(pids[0]).name()})" if pids else "another user's process"


def _package(name: str) -> tuple[str, bool, str]:
    try:
        return name, True, version(name)
    except PackageNotFoundError:
        return name, False, "not installed: `make setup`"


def _cluster() -> tuple[bool, str]:
    cores = os.cpu_count() or 1
    address = os.environ.get("RAY_ADDRESS")
    return True, f"{cores} cores here" + (
        f"; RAY_ADDRESS={address}" if address else "; no Ray cluster named by RAY_ADDRESS"
    )
