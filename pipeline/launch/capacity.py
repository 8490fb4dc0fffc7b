"""Ask an autoscaler for the workers that an elastic run lacks, and withdraw the request when the run ends.

Ray's autoscaler knows one request for a cluster; Ray's coordinator, an actor that Ray Train starts for the workers of a
group, adds up those of all who ask it. A request expires unless it is repeated, so that a driver that was killed leaves
no paid nodes behind.
"""

import time
from types import TracebackType
from typing import Self

# Private, and the only way to ask without replacing what Ray Train has asked for.
from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import DefaultAutoscalingCoordinator

from pipeline.launch.head import HeadLost

REPEAT_S, EXPIRE_S = 15.0, 60.0


class CapacityRequest:
    """A run's request for workers beside those of its group; it is withdrawn when a `with` block of it ends."""

    def __init__(self, run: str, bundle: dict[str, float], most: int):
        self.coordinator = DefaultAutoscalingCoordinator(f"pipeline-{run}")
        self.bundle, self.most = bundle, most  # the resources of one worker; the most workers that the run can use
        self.asked, self.at = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, HeadLost):  # and the coordinator with it
            self.withdraw()

    def ask(self, workers: int) -> None:
        """Ask for the resources of so many workers more; the same again within `REPEAT_S` does nothing."""
        now = time.monotonic()
        if workers == 0:
            self.withdraw()
        elif workers != self.asked or now - self.at > REPEAT_S:
            self.coordinator.request_resources([self.bundle] * workers, EXPIRE_S)
            self.asked, self.at = workers, now

    def withdraw(self) -> None:
        """End the request, if there is one."""
        if self.asked:
            self.coordinator.cancel_request()
            self.asked = 0
