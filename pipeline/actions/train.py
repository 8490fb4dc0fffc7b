"""The main job: configuration, data, training, evaluation on test, tracking; and going on where one was interrupted."""

import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.actions import requirements as requirement_actions
from pipeline.actions.data import obtain
from pipeline.config import build_data, digest, flatten, load_config, resolve, stored, training
from pipeline.config.redaction import redact
from pipeline.errors import ConfigError, Interrupted, LaunchError
from pipeline.files import atomic_write
from pipeline.kinds import Needs, kind_of, load
from pipeline.launch import cluster as clusters
from pipeline.launch import placement
from pipeline.launch.local import LocalWorkers
from pipeline.launch.train import prepare
from pipeline.launch.train import train as launch
from pipeline.runs import events as run_events
from pipeline.runs import fingerprint, interruption, provenance, records, requirements
from pipeline.runs.goodput import goodput
from pipeline.tracking.address import check
from pipeline.tracking.run import Run, open_run
from pipeline.training import cpu
from pipeline.types import Console, DataSet, FitResult

if TYPE_CHECKING:  # a mistyped key is answered without torch's import
    from pipeline.data.batches import BatchedData


def train(
    overrides: Sequence[str],
    console: Console,
    *,
    root: Path,
    config_dir: Path | None = None,
    verbose: bool = False,
    resume_if_interrupted: bool = False,
) -> dict[str, Any]:
    """Run an experiment and describe what came of it: see `_train`.

    With `resume_if_interrupted`, an interrupted run of the same configuration, data and code is gone on with instead.

    Raises: PipelineError for whatever the user can mend, before training wherever it can be known.
    """
    config = load_config(*overrides, root=root, config_dir=config_dir)
    check(config.tracking.uri, root)
    _check_workers(resolve(config))
    config, plain = obtain(config, overrides, root=root, config_dir=config_dir, console=console)
    require(plain, console, root=root, config_dir=config_dir, verbose=verbose)
    identity = fingerprint.identity(training(plain), root)
    if resume_if_interrupted and (found := records.find_resumable(identity, root)):
        console.print(f"going on with {found.name}, which was interrupted")
        return _train(plain, found, console, root=root, verbose=verbose)
    facts = {
        **provenance.provenance(root),
        "identity": identity,
        "hardware": cpu.describe(),
        "command": redact(shlex.join(["pipeline", "train", *overrides])),
    }
    run_dir = records.create(root, plain, facts)
    atomic_write(run_dir / records.CONFIG, json.dumps(stored(config), indent=1) + "\n")
    return _train(plain, run_dir, console, root=root, verbose=verbose)


def require(config: dict[str, Any], console: Console, *, root: Path, config_dir: Path | None, verbose: bool) -> None:
    """Train the models of other experiments that a configuration needs and that are not there yet."""
    for name in requirements.names(config):
        try:
            requirement_actions.find(name, root)
        except LaunchError:
            experiment, _, seed = name.rpartition("-")
            console.print(f"{config['name']} needs {name}, which is trained first")
            train(
                [f"experiment={experiment}", f"seed={seed}"], console, root=root, config_dir=config_dir, verbose=verbose
            )


def resume(
    run: str, console: Console, *, root: Path, verbose: bool = False, allow_drift: bool = False
) -> dict[str, Any]:
    """Go on with an interrupted run from its newest checkpoint that verifies (from the start if it has none).

    Raises: LaunchError if the run is finished or still running, or if code, configuration, data, packages or the
    number of workers are not what they were, unless `allow_drift`.
    """
    record = records.find(run, root)
    if "sweep" in record:
        raise LaunchError(f"{record['name']}: is a sweep. `pipeline sweep --resume {record['name']}` goes on with it.")
    if record["status"] in ("finished", "running"):
        raise LaunchError(f"{record['name']} is {record['status']}; only an interrupted or failed run can go on.")
    run_dir = Path(record["run_dir"])
    config = records.config(run_dir)
    if drift := provenance.drift(record, config, build_data(config, root / "data").describe().digest, root):
        if not allow_drift:
            raise LaunchError(
                f"{record['name']}: not what it was when the run began: {'; '.join(drift)}. Undo that, or go on all "
                "the same, to other weights, with --allow-drift."
            )
        console.print(f"WARNING     gone on with, though not as begun: {'; '.join(drift)}")
    if "fingerprint" not in record:  # of an older run, or of one that is run again from its configuration
        records.update(run_dir, fingerprint=fingerprint.parts(config, root))
    if config["cluster"].get("address"):  # the cluster that it began on may be gone
        config["cluster"]["address"] = os.environ.get("RAY_ADDRESS", config["cluster"]["address"])
    return _train(config, run_dir, console, root=root, verbose=verbose)


def _train(config: dict[str, Any], run_dir: Path, console: Console, *, root: Path, verbose: bool) -> dict[str, Any]:
    """Returns: run_id, run_dir, name, metrics, dataset (name, digest, rows), seconds, cpu_s."""
    started = time.perf_counter()
    uri, told = config["tracking"]["uri"], json.loads((run_dir / records.CONFIG).read_text())["unresolved"]
    config = training(config)
    config["cluster"]["workers"] = placement.resolve_workers(config)
    with ExitStack() as stack:
        stack.enter_context(records.status(run_dir))
        stack.enter_context(redirect_output(run_dir / "log.txt", verbose))
        stack.enter_context(clusters.connect(config["cluster"]))
        data, model = _announce(config, console, root=root, run_dir=run_dir)
        local = stack.enter_context(prepare(config))  # forks, so before tracking starts its threads
        console.print(f"tracked in  {redact(uri)}")
        record = records.read(run_dir)
        run = stack.enter_context(
            open_run(
                uri,
                root=root,
                run_dir=run_dir,
                print_line=console.print,
                name=run_dir.name,
                description=_description(record, model, data),
                params=dict(flatten(told)),
                tags=_tags(record, config, data),
                data=data,
            )
        )
        records.update(run_dir, **run.ids, dataset=asdict(data))
        with run_events.follow(run_dir, console.progress):
            result = _fit(config, data, console, local, root=root, run_dir=run_dir)
        console.print("testing and storing the model")
        metrics = finish(config, run_dir, root=root, run=run, extra=result.metrics, cpu_s=result.cpu_s)
        summary = {
            "run_dir": str(run_dir),
            "name": run_dir.name,
            "metrics": metrics,
            "dataset": asdict(data),
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_s": round(result.cpu_s, 1),
        }
        records.update(run_dir, **summary, wall_s=round(result.wall_s, 1), steps=result.steps, workers=result.workers)
    records.update(run_dir, **run.ids)  # MLflow may have been down until now
    return {"run_id": run.ids.get("run_id"), **summary}


def _announce(config: dict[str, Any], console: Console, *, root: Path, run_dir: Path) -> tuple[DataSet, str]:
    """Say what is about to be trained, on what, where; and find out on the driver what can't be built."""
    cluster = config["cluster"]
    cluster["gpus_per_worker"] = clusters.resolve_gpus(cluster)
    module: BatchedData = build_data(config, root / "data")
    data, model = module.describe(), kind_of(config).describe(config)
    rows = " / ".join(f"{data.rows[split]:,}" for split in ("train", "val", "test"))
    device = "GPU" if cluster["gpus_per_worker"] else "CPU"
    threads = cluster["threads_per_worker"]
    console.print(f"experiment  {config['name']}, seed {config['seed']}")
    console.print(f"data        {data.name}, {rows} train / val / test, digest {data.digest[:12]}")
    for remark in module.remarks():
        console.print(remark)
    console.print(f"model       {model}")
    where = f" of the cluster at {cluster['address']}" if cluster.get("address") else ""
    console.print(f"workers     {cluster['workers']} on {device}{where}, threads each: {threads}")
    console.print(f"run         {run_dir.name} (log: {run_dir / 'log.txt'})")
    return data, model


def _check_workers(config: dict[str, Any]) -> None:
    """Raises: ConfigError if the workers do not fit the shards or the model; LaunchError if they can't be had."""
    cluster, spreads = config["cluster"], kind_of(config).spreads(config)
    if not spreads and cluster["workers"] not in (1, "auto"):
        raise ConfigError("cluster.workers: this model is made in one process only. Use cluster.workers=1.")
    if not spreads and config["trainer"]["shards"] > 1:
        raise ConfigError("trainer.shards: this model is made in one process only. Use trainer.shards=1.")
    clusters.check({**cluster, "workers": placement.resolve_workers(config)})


def _fit(
    config: dict[str, Any], data: DataSet, console: Console, local: LocalWorkers | None, *, root: Path, run_dir: Path
) -> FitResult:
    """Make what is configured, whatever its kind, and leave the model in `run_dir/model`.

    Raises: Interrupted if training was asked to stop; its state is kept.
    """
    members = {name: requirement_actions.find(name, root) for name in requirements.members(config)}
    launch = partial(_launch, config, data, console, local, root=root, run_dir=run_dir)
    needs = Needs(root / "data", run_dir, members, launch)
    return kind_of(config).fit(config, needs)


def _launch(
    config: dict[str, Any], data: DataSet, console: Console, local: LocalWorkers | None, *, root: Path, run_dir: Path
) -> FitResult:
    """Train a net on the configured workers."""
    requirement_actions.fetch(config, run_dir, root, console)
    with interruption.gracefully(run_dir, console.print) as codes:
        result = launch(config, data, data_dir=root / "data", run_dir=run_dir, local=local)
    if result.stopped:
        raise Interrupted(records.interrupted(run_dir), codes[0] if codes else 75)
    return result


def finish(
    config: dict[str, Any], run_dir: Path, *, root: Path, run: Run, extra: dict[str, float], cpu_s: float
) -> dict[str, float]:
    """Score the stored model on test, draw it, and log all of it with the model in a portable form."""
    from pipeline.actions import assess, export  # import numpy and torch
    from pipeline.report import figures as report_figures

    predictor, data = load(run_dir / "model"), build_data(config, root / "data")
    figures = run_dir / "figures"
    figures.mkdir(exist_ok=True)
    evaluation = assess.assess(predictor, data, "test", root=root)
    assess.draw(evaluation, predictor, data, "test", figures)
    scores = assess.scores(evaluation, "test")
    events = run_events.read(run_dir)[0]
    if events:
        report_figures.learning_curves(events, figures / "learning_curves.png")
    run.log_result({**scores, "train/cpu_s": cpu_s, **goodput(events)}, figures)
    if example := export.onnx_example(predictor, data, run_dir / "model.onnx"):
        run.log_model(run_dir / "model.onnx", *example)
    else:
        run.log_files(run_dir / "model", "model")
    return {**extra, **scores}


def _description(record: dict[str, Any], model: str, data: DataSet) -> str:
    """What a reader of the run's page wants first, in Markdown."""
    return (
        f"{model}, trained on **{data.name}** (digest `{data.digest[:12]}`, {data.rows['train']:,} samples).\n\n"
        f"- train: `{record['command']}`\n- evaluate: `pipeline evaluate {record['name']}`\n"
        f"- go on if interrupted: `pipeline resume {record['name']}`"
    )


def _tags(record: dict[str, Any], config: dict[str, Any], data: DataSet) -> dict[str, str]:
    tags = {
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
    return {key: str(value) for key, value in tags.items() if value is not None}


@contextmanager
def redirect_output(log: Path, verbose: bool) -> Iterator[None]:
    """Send all that libraries print, in Python or below it, to a log file; with `verbose` to the terminal as ever."""
    if verbose:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    logging.captureWarnings(True)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, file):
            os.close(descriptor)
        logging.captureWarnings(False)
