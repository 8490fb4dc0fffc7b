"""The bits that matrix products have: the processor's own, or those that processors of all makers have in common."""

import os

from pipeline.types import Config

PORTABLE = {"MKL_CBWR": "COMPATIBLE"}


def choose(cluster: Config) -> None:
    """Set MKL's mode for this process and those that it starts, if `bits` is `portable`.

    It has to come before MKL computes anything: MKL reads the variable once.
    """
    if cluster.get("bits") == "portable":
        os.environ.update(PORTABLE)
