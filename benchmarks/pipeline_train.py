"""`pipeline train` as a contender."""

import json
from pathlib import Path
from typing import Any

from benchmarks.harness import PIPELINE, Contender, Outcome, last_line


def training(name: str, *overrides: str) -> Contender:
    """The command as a user types it, in a project of its own; figures of the run, its loop, its start and end."""
    words = [*PIPELINE, "train", *overrides, "seed={pair}", "--json"]
    return Contender(name, words, _read, (("MPLCONFIGDIR", "/tmp/benchmark-matplotlib"),))


def _read(outcome: Outcome) -> dict[str, Any]:
    run_dir = Path(last_line(outcome)["run_dir"])
    record = json.loads((run_dir / "run.json").read_text())
    events = [json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if "step" in event]
    epochs = [event for event in steps if "val/accuracy" in event.get("metrics", {})]
    return {
        "epochs": len(epochs),
        "val": epochs[-1]["metrics"]["val/accuracy"],
        "test": record["metrics"]["test/accuracy"],
        "train_wall_s": record["wall_s"],
        "train_cpu_s": record["cpu_s"],
        "first_step": steps[0]["time"],
        "last_step": steps[-1]["time"],
    }
