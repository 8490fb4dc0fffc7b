"""Ask an autoscaler for the nodes of elastic runs, and withdraw the request when they end.

Ray keeps one request for a cluster, until another replaces it. An actor therefore adds up the requests of all runs. A
request ends unless its driver repeats it, so that a driver that was killed leaves no paid nodes behind.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.launch.head import HeadLost

ACTOR = "pipeline-capacity"
REPEAT_S, EXPIRE_S, WITHDRAW_S = 15.0, 60.0, 10.0
Bundles = list[dict[str, float]]


class CapacityActor:
    """An actor, one a cluster: requests the sum of what runs ask for, and ends after the last one."""

    def __init__(self, check_s: float = 5.0):
        self.asked: dict[str, tuple[float, Bundles]] = {}  # run -> when it expires, what it asks for
        self.lock = threading.Lock()
        self.check_s = check_s
        threading.Thread(target=self._watch, name="expiry", daemon=True).start()

    def ask(self, run: str, bundles: Bundles) -> None:
        """Request `bundles` for a run, for `EXPIRE_S` from now on."""
        with self.lock:
            self.asked[run] = time.monotonic() + EXPIRE_S, bundles
            self._request()

    def withdraw(self, run: str) -> None:
        """End a run's request."""
        with self.lock:
            self.asked.pop(run, None)
            self._request()

    def total(self) -> Bundles:
        """The bundles of all runs."""
        return [bundle for _, bundles in self.asked.values() for bundle in bundles]

    def _request(self) -> None:
        from ray.autoscaler.sdk import request_resources

        request_resources(bundles=self.total())

    def expire(self) -> None:
        """Drop requests that were not repeated in time."""
        with self.lock:
            now = time.monotonic()
            over = [run for run, (ends, _) in self.asked.items() if ends < now]
            for run in over:
                del self.asked[run]
            if over:
                self._request()

    def _watch(self) -> None:
        """Let requests expire; end this actor when none is left."""
        while True:
            time.sleep(self.check_s)
            self.expire()
            if not self.asked:
                ray.kill(ray.get_runtime_context().current_actor)
                return


class CapacityRequest:
    """A run's request, which its driver has to repeat."""

    def __init__(self, run: str, bundles: Bundles):
        self.run, self.bundles = run, bundles
        self.repeated: float | None = None

    def repeat(self) -> None:
        """Ask for the bundles, or do nothing if that was done within `REPEAT_S`."""
        if self.repeated is None or time.monotonic() - self.repeated > REPEAT_S:
            self.repeated = time.monotonic()
            _actor().ask.remote(self.run, self.bundles)

    def withdraw(self) -> None:
        """End the request, if it was made; where the actor does not respond, it expires."""
        if self.repeated is not None:
            with suppress(RayError):
                ray.get(_actor().withdraw.remote(self.run), timeout=WITHDRAW_S)


@contextmanager
def request(run: str, bundles: Bundles) -> Iterator[CapacityRequest]:
    """A request for bundles that starts with its first `repeat` and is withdrawn when the block ends."""
    asked = CapacityRequest(run, bundles)
    try:
        yield asked
    except HeadLost:  # and the cluster with it
        raise
    except BaseException:
        asked.withdraw()
        raise
    asked.withdraw()


def _actor() -> "ray.actor.ActorHandle[CapacityActor]":
    """The cluster's actor. It survives its creator, and works on the creator's node, which is in use anyway."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return (
        ray.remote(CapacityActor)
        .options(
            name=ACTOR,
            namespace=ACTOR,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            scheduling_strategy=here,
        )
        .remote()
    )
