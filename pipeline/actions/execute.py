"""Train, evaluate and track a run in its folder, which `train` has made or `resume` has found."""

import json
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from pipeline.actions import requirements, run_description
from pipeline.actions.finish import finish
from pipeline.actions.log_file import redirect_output
from pipeline.config import Config, check_precision, flatten, training
from pipeline.config.redaction import redact
from pipeline.errors import Interrupted
from pipeline.kinds import FitContext, kind_of
from pipeline.launch import cluster, placement
from pipeline.launch.local import LocalWorkers
from pipeline.launch.train import prepare, train
from pipeline.runs import events, interruption, records
from pipeline.runs.records import RunRecord
from pipeline.runs.requirements import members
from pipeline.runs.storage import copied
from pipeline.tracking.mlflow_process import MLflow
from pipeline.tracking.run import open_run
from pipeline.types import Console, DataSet, FitResult


def execute(
    config: Config,
    run_dir: Path,
    console: Console,
    mlflow: MLflow,
    *,
    root: Path,
    verbose: bool,
    storage: str | None,
) -> RunRecord:
    """Train, evaluate and track a run in its folder; its copy is kept in `storage`, or in the one that it began with.

    Returns: as `_run`.
    """
    if storage:
        records.update(run_dir, storage=storage)
    with copied(run_dir, records.read(run_dir).get("storage"), console.print) as copying:
        return _run(config, run_dir, console, mlflow, copying, root=root, verbose=verbose)


def _run(
    config: Config,
    run_dir: Path,
    console: Console,
    mlflow: MLflow,
    copying: AbstractContextManager[None],
    *,
    root: Path,
    verbose: bool,
) -> RunRecord:
    """Train, evaluate and track a run in its folder.

    Returns: run_id, run_dir, name, metrics, dataset (name, digest, rows), seconds, cpu_s.
    """
    started = time.perf_counter()
    uri, unresolved = config["tracking"]["uri"], json.loads((run_dir / records.CONFIG).read_text())["unresolved"]
    config = training(config)
    config["cluster"]["workers"] = placement.resolve_workers(config)
    with ExitStack() as stack:
        stack.enter_context(records.status(run_dir))
        stack.enter_context(redirect_output(run_dir / "log.txt", verbose))
        stack.enter_context(cluster.connect(config["cluster"]))
        config["cluster"]["gpus_per_worker"] = cluster.resolve_gpus(config["cluster"])
        check_precision(config)
        data, model = run_description.announce(config, console, root=root, run_dir=run_dir)
        local = stack.enter_context(prepare(config))  # forks, so before tracking and storage start their threads
        stack.enter_context(copying)
        console.print(f"tracked in  {redact(uri)}")
        record = records.read(run_dir)
        run = stack.enter_context(
            open_run(
                mlflow,
                uri,
                run_dir=run_dir,
                print_line=console.print,
                name=run_dir.name,
                description=run_description.markdown(record, model, data),
                params=dict(flatten(unresolved)),
                tags=run_description.tags(record, config, data),
                data=data,
            )
        )
        records.update(run_dir, **run.ids, dataset=data.facts())
        console.print("training")  # a baseline shows no progress, and a net's begins after some imports
        with events.follow(run_dir, console.progress):
            result = _fit(config, data, console, local, root=root, run_dir=run_dir)
        console.print("evaluating on test")
        metrics = finish(config, run_dir, root=root, run=run, extra=result.metrics, cpu_s=result.cpu_s)
        summary: RunRecord = {
            "run_dir": str(run_dir),
            "name": run_dir.name,
            "metrics": metrics,
            "dataset": data.facts(),
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_s": round(result.cpu_s, 1),
        }
        wall_s = round(result.wall_s, 1)
        facts: RunRecord = {**summary, "wall_s": wall_s, "steps": result.steps, "workers": result.workers}
        records.update(run_dir, **facts)
    records.update(run_dir, **run.ids)  # MLflow may have been down until now
    return {"run_id": run.ids.get("run_id"), **summary}


def _fit(
    config: Config, data: DataSet, console: Console, local: LocalWorkers | None, *, root: Path, run_dir: Path
) -> FitResult:
    """Fit a model of any kind and store it in `run_dir/model`.

    Raises: Interrupted if training was stopped; its state is kept.
    """
    member_dirs = {name: requirements.find(name, root) for name in members(config)}
    context = FitContext(
        root / "data", run_dir, member_dirs, lambda: _launch(config, data, console, local, root=root, run_dir=run_dir)
    )
    return kind_of(config).fit(config, context)


def _launch(
    config: Config, data: DataSet, console: Console, local: LocalWorkers | None, *, root: Path, run_dir: Path
) -> FitResult:
    """Train a net on the configured workers."""
    requirements.fetch(config, run_dir, root, console)
    with interruption.gracefully(run_dir, console.print) as codes:
        result = train(config, data, data_dir=root / "data", run_dir=run_dir, local=local)
    if result.stopped:
        raise Interrupted(records.interrupted(run_dir), codes[0] if codes else 75)
    return result
