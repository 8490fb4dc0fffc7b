"""Copy the logs of workers that died from their nodes into the run's folder, before Ray or the node removes them."""

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.files import atomic_write

if TYPE_CHECKING:
    from ray.actor import ActorHandle

FOLDER = "ray-logs"  # in the run's folder
MAX_BYTES = 1 << 20  # of a log: its end
WAIT_S = 30

Processes = dict[int, tuple[str, int]]  # of a group's workers: node and process id, by rank


def copy_in_background(run_dir: Path, actor: "ActorHandle", ranks: list[int]) -> threading.Thread:
    """Copy the logs of workers of the newest group while its successor starts, from the nodes that are still there."""
    thread = threading.Thread(target=_copy, args=(run_dir, actor, ranks), name="worker logs", daemon=True)
    thread.start()
    return thread


def _copy(run_dir: Path, actor: "ActorHandle", ranks: list[int]) -> None:
    try:
        processes: Processes = ray.get(actor.worker_processes.remote(), timeout=WAIT_S)
        read = {rank: _read_there(*processes[rank]) for rank in ranks if rank in processes}
    except (RayError, GetTimeoutError):  # the folder's actor is being restarted
        return
    for rank, logs in read.items():
        try:
            write(run_dir, rank, ray.get(logs, timeout=WAIT_S))
        except (RayError, GetTimeoutError):  # the node is gone, and its logs with it
            continue


def _read_there(node: str, process: int) -> "ray.ObjectRef[dict[str, bytes]]":
    """The logs of a process, read by a task on its node."""
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(_read_here).options(num_cpus=0, scheduling_strategy=there, max_retries=0).remote(process)


def _read_here(process: int) -> dict[str, bytes]:
    from ray._private.worker import _global_node  # no public call names the folder of a node's logs

    return of_process(Path(_global_node.get_logs_dir_path()), process) if _global_node else {}


def of_process(folder: Path, process: int) -> dict[str, bytes]:
    """The ends of the logs that Ray names by a process, by their names."""
    logs = {}
    for path in sorted([*folder.glob(f"*-{process}.*"), *folder.glob(f"*_{process}.log")]):
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MAX_BYTES))
            logs[path.name] = file.read()
    return logs


def write(run_dir: Path, rank: int, logs: dict[str, bytes]) -> None:
    """Write a worker's logs into a folder of the run, named by the time and the worker's rank."""
    folder = run_dir / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S')}-worker-{rank}"
    for name, content in logs.items():
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / name, content)
