"""CPU cores and Ray's folder of this machine."""

import os
from pathlib import Path
from shutil import disk_usage

from pipeline.errors import LaunchError

RAY_BYTES = 100_000_000  # of logs and sockets; a session of an hour writes a fifth of it
SOCKET_BYTES = 107  # Linux's limit for the path of a socket
CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores that this process may use: its CPU affinity, or its cgroup's CPU quota (a container's) if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(min(_quotas(_own_cgroups()), default=cores))))


def ray_folder() -> Path:
    """The folder below which Ray stores its logs, its sockets and what does not fit into memory."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108


def longest_folder() -> int:
    """The most bytes of a path of Ray's folder that leaves room for the sockets below it."""
    return SOCKET_BYTES - len(f"/ray/session_2026-01-01_00-00-00_000000_{os.getpid()}/sockets/plasma_store")


def check_ray_folder() -> None:
    """Raises: LaunchError if Ray's folder has too long a path for sockets, or too little room."""
    folder, longest = ray_folder(), longest_folder()
    if (length := len(os.fsencode(folder))) > longest:
        raise LaunchError(
            f"{folder}: a path of {length} bytes is too long for Ray's folder: the paths of sockets in it would exceed "
            f"the system's limit of {SOCKET_BYTES} bytes. Set RAY_TMPDIR to a path of at most {longest} bytes."
        )
    if folder.is_dir() and (free := disk_usage(folder).free) < RAY_BYTES:
        raise LaunchError(
            f"{folder}: {free:,} bytes free, and Ray would write up to {RAY_BYTES:,} there. "
            "Make room, or set RAY_TMPDIR to another folder."
        )


def _own_cgroups() -> list[Path]:
    """Folders of the cgroups that may limit this process: version 2 and version 1, its own and those above it."""
    found = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = CGROUPS / controllers if controllers else CGROUPS
        own = mount / path.lstrip("/")
        # In a container the path may be the host's, while the mount shows the container's own group.
        found += [folder for folder in (own, *own.parents) if folder == mount or mount in folder.parents]
    return found


def _quotas(cgroups: list[Path]) -> list[float]:
    """CPU quotas in cores."""
    return [quota for folder in cgroups if (quota := _quota(folder)) is not None]


def _quota(cgroup: Path) -> float | None:
    """The quota of one cgroup in cores; None without one."""
    try:
        if (file := cgroup / "cpu.max").is_file():
            quota, period = file.read_text().split()
        else:
            quota, period = ((cgroup / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except (OSError, ValueError):
        return None
    return None if quota in ("max", "-1") else int(quota) / int(period)
