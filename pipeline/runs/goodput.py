"""Goodput: the share of a run's training time that made progress, and the time lost to each cause.

A failure costs the time from the last step logged before it to the first new step after it: detection, restart and
repeated steps. Before the first step, it costs the time from its own event. Source of the measure: ML productivity
goodput (Google Cloud, 2024).
"""

from collections import defaultdict
from collections.abc import Iterable

from pipeline.types import Event


def goodput(events: Iterable[Event]) -> dict[str, float]:
    """Metrics from a run's events: `run/goodput` in [0, 1], `run/restarts`, `run/lost_s/CAUSE` (seconds) by cause."""
    lost: dict[str, float] = defaultdict(float)
    restarts = 0
    cause, furthest, since = "", -1, 0.0
    times: list[float] = []
    for event in events:
        if "interrupted" in event:
            cause = cause or event["interrupted"]
            restarts += 1
            if not times:  # before the first step: the time that counts starts here
                times, since = [event["time"]], event["time"]
        if "total" not in event:
            continue
        times.append(event["time"])
        if event["step"] <= furthest:
            continue  # a repeated step
        if cause:
            lost[f"run/lost_s/{cause}"] += event["time"] - since
        cause, furthest, since = "", event["step"], event["time"]
    elapsed = times[-1] - times[0] if times else 0.0
    share = sum(lost.values()) / elapsed if elapsed else 0.0
    return {"run/goodput": 1 - share, "run/restarts": float(restarts), **lost}
