"""Faults of worker groups and nodes."""

from benchmarks.faults.fault import Fault

FAULTS = [
    Fault(1, "`kill -9` of a worker", "the group starts again from the newest checkpoint; same weights, one run"),
    Fault(2, "worker hangs (`kill -STOP`)", "declared dead in ≤ 60 s"),
    Fault(3, "a node's raylet killed", "goes on with the nodes left; grows back when one joins"),
    Fault(4, "head killed", "clear failure, exit 75; `pipeline resume` works on a new cluster"),
    Fault(7, "`ray drain-node`", "checkpoint, at most one step lost"),
    Fault(25, "stale Ray session, dead `RAY_ADDRESS`", "≤ 15 s, says what to do"),
    Fault(31, "network partition", "our time-out, in minutes"),
    Fault(32, "job upload too large", "refused before upload, sizes by top folder"),
]
