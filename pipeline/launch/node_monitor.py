"""Send the load of a node to the run's event log, from which it reaches MLflow as that of the driver's machine does."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ray.exceptions import RayError
from ray.util import get_node_ip_address

from pipeline.runs.repeat import repeating
from pipeline.tracking import system_metrics

if TYPE_CHECKING:
    from ray.actor import ActorHandle


@contextmanager
def reporting(actor: "ActorHandle", measure: bool) -> Iterator[None]:
    """Measure this node while the block runs, if `measure`: one worker of each node does but on the driver's."""
    if not measure:
        yield
        return
    # It imports MLflow at its first measurement, later than the start, which the import would slow.
    monitor = system_metrics.MachineMonitor(f"system/{get_node_ip_address()}/")

    def report() -> None:
        with suppress(RayError):  # the driver is gone
            actor.log_load.remote(monitor.measure())

    with repeating(report, system_metrics.EVERY_S, "machine"):
        yield
