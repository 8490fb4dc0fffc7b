"""The Ray cluster of a run, by its address; and a private one for sweeps."""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import LaunchError
from pipeline.launch import head
from pipeline.launch.auth_token import ensure
from pipeline.launch.machine import available_cores, check_ray_folder, ray_folder
from pipeline.types import Config

# Ray by default detects a hung worker after 600 s and waits 60 s for one that can't be placed.
HEALTH = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "5",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # the driver polls for draining nodes itself
    # Of a private cluster; an existing one reads them when it starts: docs/how-to/cluster.md.
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
# Ray takes 40 s to start on a busy machine, and gives up after 30 by default.
START = {"RAY_agent_register_timeout_ms": "120000"}


def in_process(cluster: Config) -> bool:
    """Whether a run needs one process only: one worker (or `auto`), and no address of a cluster."""
    return cluster["workers"] in (1, "auto") and not cluster.get("address")


def worker_range(cluster: Config) -> tuple[int, int]:
    """The minimum and the maximum number of workers; 1 of `auto`, where it is not resolved."""
    workers = 1 if cluster["workers"] == "auto" else cluster["workers"]
    return (workers[0], workers[1]) if isinstance(workers, list) else (workers, workers)


def check(cluster: Config) -> None:
    """Check within seconds that the cluster can be used.

    Raises: LaunchError if no cluster responds at the address, it refuses the token, or this machine has too few cores.
    """
    if cluster.get("address"):
        head.check(head.resolve(cluster["address"]))
        return
    (_, most), threads, cores = worker_range(cluster), cluster["threads_per_worker"], available_cores()
    if most > 1 and most * threads > cores:
        total = os.cpu_count() or cores
        limit = f" ({total} in all, limited by its CPU quota or affinity)" if cores < total else ""
        raise LaunchError(
            f"cluster.workers={most} with cluster.threads_per_worker={threads} needs {most * threads} cores, "
            f"this machine has {cores}{limit}. Lower one of them."
        )


@contextmanager
def connect(cluster: Config) -> Iterator[None]:
    """Connect to the cluster at the configured address while the block runs; without one, do nothing.

    Raises: LaunchError if the cluster can't be used.
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
        ray.init(address=head.resolve(str(address)), log_to_driver=True)
    except AuthenticationError as error:
        raise head.refused(str(address)) from error
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise head.unreachable(str(address), str(error).splitlines()[0]) from error
    try:
        yield
    except head.HeadLost:
        # Ray would wait for its head for a minute, and then end this process with its own exit code.
        atexit.register(os._exit, 75)
        raise
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def start(cpus: int, **options: object) -> None:
    """Start a private cluster on this machine, whatever RAY_ADDRESS names; `options` are `ray.init`'s.

    Raises: LaunchError if it does not start, or its folder is unfit.
    """
    import ray

    check_ray_folder()
    ensure()
    # Ray warns that it uses the token, as it should.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    _set(START)
    try:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options)
    except Exception as error:  # Ray raises no narrower one
        raise LaunchError(
            f"Ray does not start on this machine ({(str(error).splitlines() or [repr(error)])[0]}). Is it overloaded? "
            f"Its logs: {ray_folder() / 'ray/session_latest/logs'}."
        ) from error


def resolve_gpus(cluster: Config) -> int:
    """GPUs per worker: as configured, or for `auto` 1 where there is one for every worker.

    Raises: LaunchError if GPUs are configured and there are too few.
    """
    configured, (least, _) = cluster["gpus_per_worker"], worker_range(cluster)
    if cluster.get("address"):
        import ray

        found, where = int(ray.cluster_resources().get("GPU", 0)), "the cluster has"
    else:
        import torch

        found, where = torch.cuda.device_count() if torch.cuda.is_available() else 0, "torch sees"
    if configured == 1 and found < least:
        raise LaunchError(
            f"cluster.gpus_per_worker=1 with cluster.workers={least}, but {where} {found or 'no'} GPU"
            f"{'' if found < 2 else 's'}. Use cluster.gpus_per_worker=auto, or add GPUs."
        )
    return int(found >= least) if configured == "auto" else int(configured)


def draining() -> set[str]:
    """The ids of draining nodes."""
    from ray._private.state import state  # the only public call needs the dashboard

    return set(state.get_draining_nodes())


def room(cluster: Config) -> int:
    """The number of workers that the live nodes could hold if nothing else ran on them."""
    required = per_worker(cluster)
    return sum(min(int(node.get(name, 0) // amount) for name, amount in required.items()) for node in _nodes())


def shortage(cluster: Config) -> str:
    """The resources that a run requires, those that the cluster has, and the next step."""
    nodes, fitting, required = _nodes(), room(cluster), per_worker(cluster)
    each, has = _listed(required), _listed({name: sum(node.get(name, 0) for node in nodes) for name in required})
    lower = f"use cluster.workers={fitting}" if fitting else "lower what each worker gets (cluster.*_per_worker)"
    return (
        f"cluster.workers={cluster['workers']}: no room for workers of {each} each: the cluster has {has} on "
        f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}, room for {fitting} of them. Add nodes, or {lower}."
    )


def _listed(amounts: dict[str, float]) -> str:
    return " and ".join(f"{amount:g} {name}{'' if amount == 1 else 's'}" for name, amount in amounts.items())


def _nodes() -> list[dict[str, float]]:
    """The resources of each live node that is not draining and has CPUs."""
    import ray

    leaving = draining()
    return [
        node["Resources"]
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving and node["Resources"].get("CPU")
    ]


def per_worker(cluster: Config) -> dict[str, float]:
    """The resources of one worker."""
    gpus = cluster["gpus_per_worker"]
    return {"CPU": cluster["threads_per_worker"], **({"GPU": gpus} if gpus else {})}


def _set(variables: dict[str, str]) -> None:
    """Set environment variables that are not set yet."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)
