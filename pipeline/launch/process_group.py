"""Torch's process group for a group of Ray Train's workers, without torch in Ray Train's controller.

Ray's own `TorchConfig` does the same in the workers, but imports torch wherever it is named: that costs each start of a
group seconds, before its workers start.
"""

import os
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import ray
from ray.exceptions import GetTimeoutError
from ray.train._internal.utils import get_address_and_port
from ray.train.backend import Backend, BackendConfig

if TYPE_CHECKING:
    from ray.train._internal.base_worker_group import BaseWorkerGroup

SHUTDOWN_S = "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S"  # Ray's variable, and its default
DEFAULT_SHUTDOWN_S = "30"


@dataclass
class ProcessGroupConfig(BackendConfig):  # type: ignore[misc]
    """How the workers of a group are connected."""

    backend: str  # gloo or nccl
    timeout_s: int  # of each exchange

    @property
    def backend_cls(self) -> type[Backend]:
        return ProcessGroupBackend

    @property
    def train_func_context(self) -> "type[WorkerDevice]":
        return WorkerDevice


class ProcessGroupBackend(Backend):  # type: ignore[misc]
    """Connects the workers when a group starts, and parts them when it ends."""

    share_cuda_visible_devices = True  # NCCL finds the GPUs of its peers on a node

    def on_start(self, worker_group: "BaseWorkerGroup", backend_config: ProcessGroupConfig) -> None:
        address, port = worker_group.execute_single(0, get_address_and_port)
        worker_group.execute(set_variables, address, port)
        size = len(worker_group)
        ray.get(
            [
                worker_group.execute_single_async(
                    rank, join, backend_config.backend, rank, size, backend_config.timeout_s
                )
                for rank in range(size)
            ]
        )

    def on_shutdown(self, worker_group: "BaseWorkerGroup", backend_config: ProcessGroupConfig) -> None:
        try:
            parted = worker_group.execute_async(leave, len(worker_group) > 1)
            ray.get(parted, timeout=float(os.environ.get(SHUTDOWN_S, DEFAULT_SHUTDOWN_S)))
        except GetTimeoutError:  # a worker hangs; Ray ends it next
            return


class WorkerDevice:
    """Selects a worker's GPU, if it has one, before it trains."""

    def __enter__(self) -> None:
        from ray.train.torch.config import TorchConfigContextManager

        TorchConfigContextManager().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let exceptions pass."""


def set_variables(address: str, port: int) -> None:
    """Set the variables that torch reads in a worker: the first worker's address, ranks and numbers of workers."""
    from ray.train.torch.config import _set_torch_distributed_env_vars

    os.environ.update(MASTER_ADDR=address, MASTER_PORT=str(port))
    _set_torch_distributed_env_vars()


def join(backend: str, rank: int, workers: int, timeout_s: int) -> None:
    """Connect a worker with its peers."""
    from ray.train.torch.config import _setup_torch_process_group

    _setup_torch_process_group(backend, rank, workers, "env://", timeout_s)


def leave(connected: bool) -> None:
    """Part a worker from its peers, and give back the memory of its GPU."""
    from ray.train.torch.config import _shutdown_torch

    _shutdown_torch(destroy_process_group=connected)
