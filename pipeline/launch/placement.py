"""The number of workers that compute a run's shards, and the number that this machine has room for."""

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.launch.cluster import worker_range
from pipeline.launch.machine import available_cores


def fitting(shards: int) -> list[int]:
    """The numbers of workers that can compute so many shards: 1, 2, 4, … up to `shards`."""
    return [workers for workers in range(1, shards + 1) if shards % workers == 0]


def resolve_workers(config: Config) -> int | list[int]:
    """The workers of a configuration, `auto` resolved: a number, or [least, most] of an elastic group.

    `auto` is the most that `trainer.shards` allows and this machine has cores (or GPUs) for; on a cluster, [1, shards].
    Raises: ConfigError if the shards are not a power of two, or if the workers do not fit them.
    """
    shards, cluster = config["trainer"].get("shards", 1), config["cluster"]
    if shards & (shards - 1):
        raise ConfigError(f"trainer.shards: expected a power of two, got {shards}. Use 1, 2, 4, 8, …")
    workers, fits = cluster["workers"], fitting(shards)
    if workers == "auto":
        if cluster.get("address"):
            return [1, shards]
        return max(count for count in fits if count == 1 or count <= _places(cluster))
    least, most = worker_range(cluster)
    allowed = [count for count in fits if least <= count <= most]
    if not allowed:
        raise ConfigError(
            f"cluster.workers: {workers} can't compute trainer.shards={shards} in equal parts. "
            f"Use {', '.join(map(str, fits))} or auto, or other trainer.shards."
        )
    if isinstance(workers, list) and not cluster.get("address"):
        return max(count for count in allowed if count == allowed[0] or count <= _places(cluster))
    found: int | list[int] = workers
    return found


def largest_fitting(room: int, cluster: Config, shards: int) -> int:
    """The number of an elastic group's workers that compute the shards, where there is room for `room`."""
    least, most = worker_range(cluster)
    allowed = [count for count in fitting(shards) if least <= count <= most]
    return max(count for count in allowed if count == allowed[0] or count <= room)


def _places(cluster: Config) -> int:
    """The number of workers that this machine has room for."""
    if cluster["gpus_per_worker"] != 0:
        import torch

        if gpus := torch.cuda.device_count():
            return gpus
    return available_cores() // int(cluster["threads_per_worker"])
