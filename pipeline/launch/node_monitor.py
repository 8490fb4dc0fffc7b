"""Send the load of a node to the run's event log, from which it reaches MLflow as that of the driver's machine does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ray.exceptions import RayError
from ray.util import get_node_ip_address

from pipeline.tracking import system_metrics

if TYPE_CHECKING:
    from ray.actor import ActorHandle


@contextmanager
def reporting(actor: "ActorHandle", measure: bool) -> Iterator[None]:
    """Measure this node while the block runs, if `measure`: one worker of each node does but on the driver's."""
    done = threading.Event()

    def loop() -> None:
        monitor = None
        while not done.wait(system_metrics.EVERY_S):  # later than the start, which the import would slow
            monitor = monitor or system_metrics.MachineMonitor(f"system/{get_node_ip_address()}/")
            try:
                actor.log_load.remote(monitor.measure())
            except RayError:  # the driver is gone
                return

    if measure:
        threading.Thread(target=loop, name="machine", daemon=True).start()
    try:
        yield
    finally:
        done.set()
