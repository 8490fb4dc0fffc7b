"""Leave a machine in time: `python -m pipeline.launch.drain SECONDS`, which Kubernetes runs before it ends a pod.

Trainings that were started on this machine store a checkpoint and end. Those with workers here store one and resume
elsewhere, because the machine's Ray node is drained, as `ray drain-node` does.
"""

import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

from pipeline.errors import LaunchError
from pipeline.launch import head

DRIVERS = ("train", "resume", "sweep", "repro", "reproduce", "submit")  # verbs that store their state on SIGTERM
POLL_S = 0.5


def drain(seconds: float) -> None:
    """Ask this machine's trainings and its Ray node to leave, and wait until they have, at most so many seconds."""
    ends = time.monotonic() + seconds
    drivers = [process for process in psutil.process_iter(["cmdline"]) if is_driver(process.info["cmdline"] or [])]
    for process in drivers:
        with suppress(psutil.Error):  # it has just ended, or is another user's: the node is drained all the same
            process.terminate()
    drain_node(ends)
    while any(map(_runs, drivers)) and time.monotonic() < ends:
        time.sleep(POLL_S)


def is_driver(command: list[str]) -> bool:
    """Whether a process's command is a training of this package: `pipeline train …`, `python -m pipeline resume …`."""
    return any(Path(word).name == "pipeline" and verb in DRIVERS for word, verb in pairwise(command))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def drain_node(ends: float) -> None:
    """Drain this machine's Ray node, unless it is the head, and wait until it has ended or the time is `ends`."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.autoscaler_pb2 import DRAIN_NODE_REASON_PREEMPTION
    from ray.exceptions import RayError

    try:
        address = head.resolve("auto")
        head.connect(address)
        client, deadline_ms = GcsClient(address=address), int(1000 * (time.time() + ends - time.monotonic()))
        for node in own_nodes(client):
            client.drain_node(node, DRAIN_NODE_REASON_PREEMPTION, "the machine ends", deadline_ms)
        while own_nodes(client) and time.monotonic() < ends:
            time.sleep(POLL_S)
    except (LaunchError, RayError) as error:  # without a cluster there is nothing to leave
        print(f"not drained: {error}", file=sys.stderr)


def own_nodes(client: object) -> set[str]:
    """The ids of this machine's living Ray nodes but for the head, whose departure ends every training anyway."""
    from ray.core.generated.gcs_pb2 import GcsNodeInfo
    from ray.util import get_node_ip_address

    here = get_node_ip_address()
    return {
        identity.hex()
        for identity, info in client.get_all_node_info().items()  # type: ignore[attr-defined]
        if info.state == GcsNodeInfo.ALIVE and info.node_manager_address == here and not info.is_head_node
    }


if __name__ == "__main__":
    drain(float(sys.argv[1]))
