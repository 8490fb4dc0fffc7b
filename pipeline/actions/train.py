"""Train an experiment: configuration, data, training, evaluation on test, tracking; or resume an interrupted run."""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack, cast

from pipeline.actions import requirements, stored_copy
from pipeline.actions.data import obtain
from pipeline.actions.execute import execute
from pipeline.actions.few_samples import enough_epochs
from pipeline.config import Config, build_data, load_config, resolve, stored, training
from pipeline.config.redaction import redact
from pipeline.config.snapshot import StoredConfig
from pipeline.errors import ConfigError, LaunchError
from pipeline.files import atomic_write
from pipeline.kinds import kind_of
from pipeline.launch import bits, cluster, placement
from pipeline.runs import fingerprint, lookup, provenance, records
from pipeline.runs import storage as storages
from pipeline.runs.records import RunRecord
from pipeline.runs.requirements import names
from pipeline.tracking import mlflow_process
from pipeline.tracking.address import check
from pipeline.tracking.mlflow_process import MLflow
from pipeline.training import cpu
from pipeline.types import Console

SUMMARY = ("run_id", "run_dir", "name", "metrics", "dataset", "seconds", "cpu_s")


def train(
    overrides: Sequence[str],
    console: Console,
    *,
    root: Path,
    config_dir: Path | None = None,
    verbose: bool = False,
    resume_if_interrupted: bool = False,
    run_name: str | None = None,
    storage: str | None = None,
) -> RunRecord:
    """Train an experiment, or with `resume_if_interrupted` resume its interrupted run: same configuration, data, code.

    A run of the name `run_name` is resumed unless it is finished; then it is not trained again. The run is copied to
    `storage`, where a run of that name is looked for, too.

    Returns: the run's summary, see `_train`.
    Raises: PipelineError for what the user can fix, before training where it can be known.
    """
    config = load_config(*overrides, root=root, config_dir=config_dir)
    check(config.tracking.uri, root)
    with mlflow_process.start(config.tracking.uri, root) as mlflow:
        chosen = resolve(config)
        bits.choose(chosen["cluster"])
        _check_workers(chosen)
        if storage:
            storages.connect(storage)
        config, plain = obtain(config, overrides, root=root, config_dir=config_dir, console=console)
        if epochs := enough_epochs(plain, overrides, console, root=root):
            config = load_config(*overrides, *epochs, root=root, config_dir=config_dir)
            plain = resolve(config)
        require(plain, console, root=root, config_dir=config_dir, verbose=verbose)
        identity = fingerprint.identity(training(plain), root)
        if resume_if_interrupted and (interrupted := lookup.find_resumable(identity, root)):
            console.print(f"resuming    {interrupted.name}, which was interrupted")
            return execute(plain, interrupted, console, mlflow, root=root, verbose=verbose, storage=storage)
        if run_name and storage:
            stored_copy.fetch(run_name, storage, console, root=root)
        if run_name and (named := lookup.named(run_name, root)):
            return _continue(named, identity, plain, console, mlflow, root=root, verbose=verbose, storage=storage)
        for warning in provenance.gaps(root):
            console.print(warning)
        command = redact(shlex.join(["pipeline", "train", *overrides]))
        run_dir = _create(stored(config), plain, root, run_name, identity=identity, command=command)
        return execute(plain, run_dir, console, mlflow, root=root, verbose=verbose, storage=storage)


def _create(written: StoredConfig, plain: Config, root: Path, run_name: str | None, **facts: Unpack[RunRecord]) -> Path:
    """The folder of a new run, with the facts of where it is trained and its unresolved configuration."""
    facts = {
        **provenance.provenance(root),
        "hardware": cpu.describe(),
        "environment": cpu.environment(),
        **facts,
    }
    run_dir = records.create(root, plain, facts, run_name)
    atomic_write(run_dir / records.CONFIG, json.dumps(written, indent=1) + "\n")
    return run_dir


def _continue(
    record: RunRecord,
    identity: str,
    config: Config,
    console: Console,
    mlflow: MLflow,
    *,
    root: Path,
    verbose: bool,
    storage: str | None,
) -> RunRecord:
    """Resume the run of a name; of a finished one, only return its summary.

    Raises: LaunchError if it began with another configuration, data or code.
    """
    name = record["name"]
    if record.get("identity") != identity:
        raise LaunchError(
            f"--run-name {name}: that run has another configuration, data or code. Choose another name, or `pipeline "
            f"resume {name}`."
        )
    if record["status"] == "finished":
        console.print(f"finished    {name} was trained before, and is not trained again")
        return cast(RunRecord, {key: value for key, value in record.items() if key in SUMMARY})
    console.print(f"resuming    {name}, which was {record['status']}")
    return execute(config, Path(record["run_dir"]), console, mlflow, root=root, verbose=verbose, storage=storage)


def require(config: Config, console: Console, *, root: Path, config_dir: Path | None, verbose: bool) -> None:
    """Train the required models of other experiments that have not been trained yet."""
    for name in names(config):
        try:
            requirements.find(name, root)
        except LaunchError:
            experiment, _, seed = name.rpartition("-")
            console.print(f"{config['name']} requires {name}, which is trained first")
            train(
                [f"experiment={experiment}", f"seed={seed}"], console, root=root, config_dir=config_dir, verbose=verbose
            )


def resume(
    run: str,
    console: Console,
    *,
    root: Path,
    verbose: bool = False,
    allow_drift: bool = False,
    storage: str | None = None,
) -> RunRecord:
    """Resume an interrupted or failed run from its newest checkpoint that verifies, from the start if it has none.

    A run that is not on this machine is fetched from `storage`.

    Raises: LaunchError if the run is finished or still running, or if code, configuration, data or packages have
    changed, unless `allow_drift`. The number of workers may change.
    """
    if storage:
        stored_copy.provide(run, storage, console, root=root)
    record = lookup.find(run, root)
    if "sweep" in record:
        raise LaunchError(f"{record['name']}: is a sweep. Resume it: `pipeline sweep --resume {record['name']}`.")
    if record["status"] in ("finished", "running"):
        raise LaunchError(f"{record['name']}: is {record['status']}. Only an interrupted or failed run can be resumed.")
    run_dir = Path(record["run_dir"])
    config = records.config(run_dir)
    with mlflow_process.start(config["tracking"]["uri"], root) as mlflow:
        bits.choose(config["cluster"])
        _check_drift(record, config, console, root, allow_drift)
        if "fingerprint" not in record:  # of an older run, or of one that `reproduce` repeats
            records.update(run_dir, fingerprint=fingerprint.parts(config, root))
        if config["cluster"].get("address"):  # the cluster that it began on may be gone
            config["cluster"]["address"] = os.environ.get("RAY_ADDRESS", config["cluster"]["address"])
        return execute(config, run_dir, console, mlflow, root=root, verbose=verbose, storage=storage)


def _check_drift(record: RunRecord, config: Config, console: Console, root: Path, allow: bool) -> None:
    """Raises: LaunchError if code, configuration, data or packages changed since a run began; a warning if allowed."""
    if drift := provenance.drift(record, config, build_data(config, root / "data").describe().digest, root):
        changed = f"changed since the run began: {'; '.join(drift)}"
        if not allow:
            raise LaunchError(
                f"{record['name']}: {changed}. Undo the change, or resume with --allow-drift, which gives other "
                "weights."
            )
        console.print(f"WARNING     resumed although {changed}")


def _check_workers(config: Config) -> None:
    """Raises: ConfigError if the workers do not fit the shards or the model; LaunchError if they can't be used."""
    if not kind_of(config).distributable(config):
        if config["cluster"]["workers"] not in (1, "auto"):
            raise ConfigError("cluster.workers: this model is trained in one process only. Use cluster.workers=1.")
        if config["trainer"]["shards"] > 1:
            raise ConfigError("trainer.shards: this model is trained in one process only. Use trainer.shards=1.")
    cluster.check({**config["cluster"], "workers": placement.resolve_workers(config)})
