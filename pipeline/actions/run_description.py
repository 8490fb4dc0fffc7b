"""Descriptions of a run: lines for the terminal, Markdown and tags for MLflow."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.actions.few_samples import held_out
from pipeline.config import Config, build_data, digest
from pipeline.kinds import kind_of
from pipeline.runs.records import RunRecord
from pipeline.types import Console, DataSet

if TYPE_CHECKING:  # imports torch
    from pipeline.data.batches import BatchedData


def announce(config: Config, console: Console, *, root: Path, run_dir: Path) -> tuple[DataSet, str]:
    """Print the experiment, its data, model, workers and run folder; data and model are built once for it.

    Returns: the data set, and the model in words.
    Raises: ConfigError or DataError for what can't be built, before any worker is started.
    """
    cluster = config["cluster"]
    module: BatchedData = build_data(config, root / "data")
    data, model = module.describe(), kind_of(config).describe(config)
    kind_of(config).check(config, module)
    rows = " / ".join(f"{data.rows[split]:,}" for split in ("train", "val", "test"))
    device = "GPU" if cluster["gpus_per_worker"] else "CPU"
    where = f" of the cluster at {cluster['address']}" if cluster.get("address") else ""
    console.print(f"experiment  {config['name']}, seed {config['seed']}")
    console.print(f"data        {data.name}, {rows} train / val / test, digest {data.digest[:12]}")
    for remark in (*module.remarks(), *held_out(config, module)):
        console.print(remark)
    console.print(f"model       {model}")
    console.print(f"workers     {cluster['workers']} on {device}{where}, threads each: {cluster['threads_per_worker']}")
    console.print(f"run         {run_dir.name} (log: {run_dir / 'log.txt'})")
    return data, model


def markdown(record: RunRecord, model: str, data: DataSet) -> str:
    """Return the description that MLflow shows on the run's page."""
    return (
        f"{model}, trained on **{data.name}** (digest `{data.digest[:12]}`, {data.rows['train']:,} samples).\n\n"
        f"- train: `{record['command']}`\n- evaluate: `pipeline evaluate {record['name']}`\n"
        f"- resume if interrupted: `pipeline resume {record['name']}`"
    )


def tags(record: RunRecord, config: Config, data: DataSet) -> dict[str, str]:
    """Return the tags by which a run is found in MLflow: experiment, seed, code, data, DVC's stage, workers."""
    values = {
        "experiment": config["name"],
        "seed": config["seed"],
        "data": data.name,
        "data.digest": data.digest,
        "config.digest": digest(config),
        "git.commit": record["commit"],
        "git.dirty": record["dirty"],
        "lock.digest": record["lock_digest"],
        "dvc.stage": record.get("dvc_stage"),
        "dvc.revision": record["commit"] if record.get("dvc_stage") else None,
        "dvc.experiment": record.get("dvc_experiment"),
        "threads_per_worker": config["cluster"]["threads_per_worker"],
        "workers": config["cluster"]["workers"],
    }
    return {key: str(value) for key, value in values.items() if value is not None}
