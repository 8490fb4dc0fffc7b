"""`steady` with more workers than this machine has cores, on a Ray that is configured with more.

`python -m benchmarks.contenders.oversubscribed SECONDS WORKERS OVERRIDE…`, in the folder of a project.
"""

import sys

import ray

from benchmarks.contenders import steady
from pipeline.launch import cluster


def main(seconds: float, workers: int, *overrides: str) -> None:
    cluster.start(workers + 1)
    address = ray.get_runtime_context().gcs_address
    steady.main(seconds, *overrides, "cluster=ray", f"cluster.address={address}", f"cluster.workers={workers}")
    ray.shutdown()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
