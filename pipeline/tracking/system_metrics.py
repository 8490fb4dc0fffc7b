"""The load of a machine (processors, memory, disk, network, GPUs), as MLflow measures it."""

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

EVERY_S = 5.0  # between two measurements


class MachineMonitor:
    """Measures this machine; `prefix` begins the names of its metrics."""

    def __init__(self, prefix: str = "system/"):
        self.prefix = prefix

    @cached_property
    def monitors(self) -> "list[BaseMetricsMonitor]":
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(Exception):  # no GPU, or no library that measures it
            monitors.append(GPUMonitor())
        return monitors

    def measure(self) -> dict[str, float]:
        """The machine's load now."""
        values: dict[str, float] = {}
        for monitor in self.monitors:
            monitor.collect_metrics()
            values |= {f"{self.prefix}{name}": value for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return values
