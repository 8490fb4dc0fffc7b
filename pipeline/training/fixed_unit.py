"""Models that are put together, not trained: the mean of finished runs, a neuron whose weights are set by hand."""

import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.config import Config, build, build_data, digest
from pipeline.runs import checkpoints, trail
from pipeline.types import CheckpointFacts, FitResult

MEMBERS = "members"  # the folder of an ensemble's models, each whole


def assemble(config: Config, members: Mapping[str, Path], *, data_dir: Path, run_dir: Path) -> FitResult:
    """Leave the configured net, or the stored `members` side by side, in `run_dir/model`."""
    started, cpu = time.perf_counter(), time.process_time()
    data = build_data(config, data_dir)

    def write(aside: Path) -> None:
        checkpoints.save_config(config, data.labels, aside)
        if not members:
            checkpoints.save_weights(build(config["model"]["net"]), aside / checkpoints.MODEL)
        for name, folder in members.items():
            checkpoints.copy(folder, aside / MEMBERS / name)
        trail.write(aside, step=0, epoch=0)

    facts: CheckpointFacts = {"config_digest": digest(config), "data_digest": data.describe().digest}
    checkpoints.publish(run_dir / "model", write, **facts)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return FitResult(run_dir / "model", metrics={}, steps=0, epochs=0, wall_s=wall_s, cpu_s=cpu_s)
