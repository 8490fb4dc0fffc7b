"""Check whether this machine is ready: one line a check, with the next step where one fails."""

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
NEEDED_BYTES = 2 * 10**9  # data, one run's checkpoints and MLflow's artifacts, with a margin

Check = tuple[str, bool, str]


def checks(root: Path) -> list[Check]:
    """Return (name, whether it passed, what was found and the next step) of each check."""
    return [
        ("python", sys.version_info >= (3, 11), platform.python_version()),
        *(_package(name) for name in STACK),
        *_disk(root),
        _dvc(root),
        *(_data(name, root) for name in store.FILES),
        _port(),
        _cluster(),
        _tracking(root),
    ]


def _disk(root: Path) -> list[Check]:
    free, writable = shutil.disk_usage(root).free, os.access(root, os.W_OK)
    return [
        ("disk", free >= NEEDED_BYTES, f"{free / 1e9:.1f} GB free at {root}"),
        ("project", writable, f"{root}" if writable else f"{root} can't be written. Work in a folder of your own."),
    ]


def _dvc(root: Path) -> Check:
    escaped = outside(root)
    found = f"would write outside the project: {', '.join(escaped)}. Don't `dvc pull`." if escaped else "stays inside"
    return "dvc outputs", not escaped, found


def _data(name: str, root: Path) -> Check:
    if store.needs_mirror(name, root / "data"):
        return f"data {name}", True, "not here; only its own experiments need it, and a mirror"
    data = state(name, root)
    found = f"digest {data['digest'][:12]}" if data["verified"] else f"not complete: `pipeline data pull {name}`"
    return f"data {name}", data["verified"], found


def _port() -> Check:
    owner = port_owner(UI_PORT)
    return "port", owner is None, f"{UI_PORT} is {f'used by {owner}: `pipeline ui --port …`' if owner else 'free'}"


def _tracking(root: Path) -> Check:
    database = root / "runs/mlflow.db"
    return "tracking", True, str(database) if database.is_file() else f"{database}, made by the first run"


def port_owner(port: int) -> str | None:
    """Return the process that listens on a loopback port, as `pid 123 (name)`; None if the port is free."""
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


def _package(name: str) -> Check:
    try:
        return name, True, version(name)
    except PackageNotFoundError:
        return name, False, "not installed: `make setup`"


def _cluster() -> Check:
    address = os.environ.get("RAY_ADDRESS")
    found = f"RAY_ADDRESS={address}" if address else "RAY_ADDRESS is not set, so Ray starts on this machine"
    return "cluster", True, f"{os.cpu_count() or 1} cores here; {found}"
