"""`steady` on a Ray cluster: one raylet of one CPU for each worker, all on this machine.

`python -m benchmarks.contenders.raylets SECONDS WORKERS OVERRIDE…`, in the folder of a project.
"""

import sys

from benchmarks.contenders import steady
from pipeline.launch.auth_token import ensure
from tests.launch.nodes import nodes


def main(seconds: float, workers: int, *overrides: str) -> None:
    ensure()
    with nodes(*[1] * workers) as cluster:
        address = f"cluster.address={cluster.address}"
        steady.main(seconds, *overrides, "cluster=ray", address, f"cluster.workers={workers}")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
