"""Models that are put together, not trained: the mean of finished runs, a neuron whose weights are set by hand."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.config import build, build_data, digest
from pipeline.types import FitResult


def assemble(config: dict[str, Any], members: Sequence[Path], *, data_dir: Path, run_dir: Path) -> FitResult:
    """Leave the configured net, or the mean of the stored `members`, in `run_dir/model`."""
    from pipeline import predict

    started, cpu = time.perf_counter(), time.process_time()
    data, model = build_data(config, data_dir), config["model"]
    parts = [predict.load(folder) for folder in members]
    if parts:
        described = {"_target_": "pipeline.models.ensemble.Ensemble"}
        model = {**model, "net": {**described, "members": [part.config["model"]["net"] for part in parts]}}
    net = build(model["net"])
    for member, part in zip(getattr(net, "members", []), parts, strict=True):
        member.load_state_dict(part.net.state_dict())

    def write(aside: Path) -> None:
        checkpoint.save_weights(net, aside / checkpoint.MODEL)
        checkpoint.save_config({**config, "model": model}, data.labels, aside)

    facts = {"config_digest": digest(config), "data_digest": data.describe().digest}
    checkpoint.publish(run_dir / "model", write, **facts)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return FitResult(run_dir / "model", metrics={}, steps=0, epochs=0, wall_s=wall_s, cpu_s=cpu_s)
