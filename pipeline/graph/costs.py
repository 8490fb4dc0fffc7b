"""The cost of stages by the committed results, the longest path to the end, and the time on so many nodes."""

import heapq
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.errors import DataError
from pipeline.runs import results

DEFAULTS_S = {"prepare": 60.0, "evaluate": 20.0, "collect": 5.0, "report": 15.0, "fingerprint": 10.0}
UNKNOWN_S = 10.0
Edges = Mapping[str, Collection[str]]  # the stages that a stage depends on


def costs(stages: Collection[str], root: Path) -> dict[str, float]:
    """Return the seconds that each stage takes on one core, from the committed results where they hold its run."""
    known: dict[str, float] = {}
    for experiment in {_run(stage)[0] for stage in stages if stage.startswith("train@")}:
        known |= _recorded(experiment, root)
    return {stage: known.get(stage, DEFAULTS_S.get(stage.partition("@")[0], UNKNOWN_S)) for stage in stages}


def _run(stage: str) -> tuple[str, str]:
    experiment, _, seed = stage.removeprefix("train@").rpartition("-")
    return experiment, seed


def _recorded(experiment: str, root: Path) -> dict[str, float]:
    """Return the seconds of an experiment's seeds, without those in which other programs had the core."""
    try:
        runs = results.read(results.path_of(experiment, root))["runs"]
    except DataError:  # an estimate is not worth a stop
        return {}
    found = {}
    for run in runs:
        cpu, wall, whole = (run.get("cpu_s") or 0.0, run.get("wall_s") or 0.0, run.get("seconds") or 0.0)
        found[f"train@{experiment}-{run['seed']}"] = max(cpu, whole - max(wall - cpu, 0.0))
    return {stage: seconds for stage, seconds in found.items() if seconds}


def ranks(needs: Edges, cost: Mapping[str, float]) -> dict[str, float]:
    """Return for each stage the seconds of the longest path from its start to the end of the graph.

    `needs` lists stages after those that they depend on.
    """
    rank = dict.fromkeys(needs, 0.0)  # first the longest path behind a stage
    for stage in reversed(list(needs)):
        rank[stage] += cost[stage]
        for needed in needs[stage]:
            if needed in rank:
                rank[needed] = max(rank[needed], rank[stage])
    return rank


def longest_path(needs: Edges, cost: Mapping[str, float]) -> list[str]:
    """Return the stages of the longest path, the first one first."""
    rank, path = ranks(needs, cost), []
    choices = [stage for stage in needs if not any(needed in rank for needed in needs[stage])]
    while choices:
        path.append(max(choices, key=rank.__getitem__))
        choices = [stage for stage in needs if path[-1] in needs[stage]]
    return path


def simulate(needs: Edges, cost: Mapping[str, float], nodes: int) -> float:
    """Return the seconds until all stages are done on `nodes` nodes, one stage a node, the longest path first."""
    rank = ranks(needs, cost)
    missing = {stage: {needed for needed in needs[stage] if needed in rank} for stage in needs}
    ready = [(-rank[stage], stage) for stage in needs if not missing[stage]]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < nodes:
            stage = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + cost[stage], stage))
        now, done = heapq.heappop(running)
        for stage, left in missing.items():
            if done in left:
                left.remove(done)
                if not left:
                    heapq.heappush(ready, (-rank[stage], stage))
    return now
