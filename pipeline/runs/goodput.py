"""How much of a run's training time went forwards, and what the rest was lost to.

A failure costs the time from the last step that was told before it to the first new step after it: noticing, starting
again and doing steps again. Source of the measure: ML productivity goodput (Google Cloud, 2024).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any


def goodput(events: Iterable[dict[str, Any]]) -> dict[str, float]:
    """From a run's events: `run/goodput` in [0, 1], `run/restarts`, and `run/lost_s/CAUSE` for each cause."""
    lost: dict[str, float] = defaultdict(float)
    restarts = 0
    cause, furthest, since = "", -1, 0.0
    told: list[float] = []
    for event in events:
        if "interrupted" in event:
            cause = cause or event["interrupted"]
            restarts += 1
        if "total" not in event:
            continue
        told.append(event["time"])
        if event["step"] <= furthest:
            continue  # done before
        if cause:
            lost[f"run/lost_s/{cause}"] += event["time"] - since
        cause, furthest, since = "", event["step"], event["time"]
    share = sum(lost.values()) / (told[-1] - told[0]) if lost else 0.0
    return {"run/goodput": 1 - share, "run/restarts": float(restarts), **lost}
