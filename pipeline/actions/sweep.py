"""Hyperparameter search: trials under Ray Tune, compared on validation, never on test."""

import json
import shlex
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.actions import trials
from pipeline.actions.data import obtain
from pipeline.actions.few_samples import enough_epochs
from pipeline.actions.log_file import redirect_output
from pipeline.actions.requirements import fetch
from pipeline.actions.train import require
from pipeline.config import Config, build_data, flatten, load_config, resolve, stored, sweep_space, training
from pipeline.config.kind import task_of
from pipeline.config.redaction import redact
from pipeline.errors import ConfigError, LaunchError
from pipeline.files import atomic_write
from pipeline.kinds import kind_of
from pipeline.launch.cluster import in_process, resolve_gpus
from pipeline.runs import lookup, provenance, records, requirements
from pipeline.runs.records import RunRecord
from pipeline.tracking import address, mlflow_process
from pipeline.tracking.run import describe, open_run, send_waiting
from pipeline.types import Console, DataSet

if TYPE_CHECKING:  # imports Ray
    from pipeline.config.compose import DictConfig
    from pipeline.launch.sweep import Trial

FIGURE = "parallel_coordinates.png"


def sweep(
    overrides: Sequence[str],
    count: int,
    console: Console,
    *,
    root: Path,
    config_dir: Path | None = None,
    verbose: bool = False,
) -> RunRecord:
    """Draw `count` configurations from the space that the overrides span, and train them in parallel.

    Returns: see `_run`.
    Raises: PipelineError for all that the user can fix, before Ray starts.
    """
    if count < 1:
        raise ConfigError(f"--trials {count}: expected 1 or more.")
    fixed, axes = sweep_space.parse(overrides)
    base = load_config(*fixed, root=root, config_dir=config_dir)
    address.check(base.tracking.uri, root)
    points = sweep_space.draw(axes, count, base.seed)
    configs = [load_config(*fixed, *point, root=root, config_dir=config_dir) for point in points]
    for config in configs:
        _check(resolve(config), resolve(configs[0]))
    first, plain = obtain(configs[0], [*fixed, *points[0]], root=root, config_dir=config_dir, console=console)
    given = fixed
    if first is not configs[0]:  # the sample of the data, which all trials then use
        fixed = [*(word for word in fixed if not word.startswith("data=")), f"data={plain['data']['name']}"]
    fixed = [*fixed, *enough_epochs(plain, [*fixed, *points[0]], console, root=root)]
    if fixed != given:
        configs = [load_config(*fixed, *point, root=root, config_dir=config_dir) for point in points]
    by_requirements = {tuple(requirements.names(plain)): plain for plain in map(resolve, configs)}
    for resolved in by_requirements.values():
        require(resolved, console, root=root, config_dir=config_dir, verbose=verbose)
    if len(points) < count:
        console.print(f"the space has {len(points)} points, fewer than {count}: each is tried once")
    options = ["--config-dir", str(config_dir)] if config_dir else []
    facts: RunRecord = {
        **provenance.provenance(root),
        "command": redact(shlex.join(["pipeline", "sweep", *options, *overrides, "--trials", str(count)])),
        "sweep": {"keys": list(axes), "train": [*options, *fixed]},
    }
    for warning in provenance.gaps(root):
        console.print(warning)
    run_dir = records.create(root, {**plain, "name": f"sweep-{plain['name']}"}, facts)
    for number, (point, config) in enumerate(zip(points, configs, strict=True), 1):
        _store(records.create_trial(run_dir, number, point), config)
    _store(run_dir, configs[0])
    return _run(run_dir, console, root=root, verbose=verbose)


def resume(run: str, console: Console, *, root: Path, verbose: bool = False) -> RunRecord:
    """Resume a sweep whose driver was stopped or died: trials that have ended stay, the others resume or start.

    Raises: LaunchError if it is not a sweep, is finished or running, or if code or data have changed.
    """
    record = lookup.find(run, root)
    if "sweep" not in record:
        raise LaunchError(f"{record['name']}: is not a sweep. `pipeline resume {record['name']}` resumes a run.")
    if record["status"] in ("finished", "running"):
        raise LaunchError(
            f"{record['name']} is {record['status']}; only an interrupted or failed sweep can be resumed."
        )
    run_dir = Path(record["run_dir"])
    config = records.config(run_dir)
    if drift := provenance.drift(record, config, build_data(config, root / "data").describe().digest, root):
        raise LaunchError(
            f"{record['name']}: changed since the sweep started: {'; '.join(drift)}. Undo that, or start a new sweep."
        )
    return _run(run_dir, console, root=root, verbose=verbose)


def _check(config: Config, first: Config) -> None:
    """Raises: ConfigError if a configuration can't be a trial, or can't be compared with the first."""
    if not kind_of(config).trains_by_epochs:
        raise ConfigError(f"{config['name']}: is not trained by epochs, so no trial of it can be stopped early.")
    if task_of(config).does in ("generate", "model language"):
        raise ConfigError(f"{config['name']}: its validation has no score that trials can be compared by.")
    if not in_process(config["cluster"]):
        raise ConfigError("cluster: a sweep's trials have one worker each, on this machine. Use cluster=local.")
    if config["data"]["name"] != first["data"]["name"]:
        raise ConfigError(
            f"data: {first['data']['name']} and {config['data']['name']} can't be compared. Sweep over one data set."
        )


def _store(run_dir: Path, config: "DictConfig") -> None:
    atomic_write(run_dir / records.CONFIG, json.dumps(stored(config), indent=1) + "\n")


def _run(run_dir: Path, console: Console, *, root: Path, verbose: bool) -> RunRecord:
    """Returns: name, run_dir, run_id, best, trials (the records), command (that trains the best), figure, seconds."""
    started = time.perf_counter()
    record, config = records.read(run_dir), records.config(run_dir)
    uri, keys = config["tracking"]["uri"], record["sweep"]["keys"]
    with ExitStack() as stack:
        mlflow = stack.enter_context(mlflow_process.start(uri, root))
        stack.enter_context(records.status(run_dir))
        stack.enter_context(redirect_output(run_dir / "log.txt", verbose))
        data = build_data(config, root / "data").describe()
        console.print(f"sweep       {', '.join(keys)}: {len(lookup.trials(run_dir))} trials on {data.name}")
        console.print(f"run         {run_dir.name} (log: {run_dir / 'log.txt'})")
        parent = stack.enter_context(
            open_run(
                mlflow,
                uri,
                run_dir=run_dir,
                print_line=console.print,
                name=run_dir.name,
                description=f"- `{record['command']}`\n- resume: `pipeline sweep --resume {run_dir.name}`",
                params={**dict(flatten(config)), **dict.fromkeys(map(_bare, keys), "searched")},
                tags={"experiment": str(record["experiment"]), "data": data.name, "data.digest": data.digest},
                data=data,
            )
        )
        records.update(run_dir, **parent.ids, dataset=data.facts())
        _search(run_dir, data, uri, console, root=root)
        ended = lookup.trials(run_dir)
        best = trials.best(ended)
        figures = run_dir / "figures"
        figures.mkdir(exist_ok=True)
        trials.draw(keys, ended, best, figures / FIGURE)
        parent.log_result({"val/best": best["score"], "trials": len(ended)}, figures)
        command = shlex.join(["pipeline", "train", *record["sweep"]["train"], *best["overrides"]])
        summary: RunRecord = {
            "name": run_dir.name,
            "run_dir": str(run_dir),
            "best": {
                "name": best["name"],
                "overrides": best["overrides"],
                "score": best["score"],
                "measure": best["measure"],
            },
            "trials": [trials.shown(trial) for trial in ended],
            "command": command,
            "figure": str(figures / FIGURE),
        }
        records.update(run_dir, **summary)
        for leftover in (run_dir / "ray", *run_dir.glob("trials/*/checkpoints")):
            shutil.rmtree(leftover, ignore_errors=True)
    records.update(run_dir, **parent.ids)
    return {"run_id": parent.ids.get("run_id"), **summary, "seconds": round(time.perf_counter() - started, 1)}


def _search(run_dir: Path, data: DataSet, uri: str, console: Console, *, root: Path) -> None:
    """Train the trials that have not ended yet."""
    from pipeline.launch import sweep

    earlier = lookup.trials(run_dir)
    if done := sum(record["status"] in trials.ENDED for record in earlier):
        console.print(f"resuming    {done} trials have ended already")
    # Trials that have ended come first: their scores decide which others are stopped.
    earlier.sort(key=lambda record: record["status"] not in trials.ENDED)
    planned = [_trial(record, run_dir, data) for record in earlier]
    gpus = resolve_gpus(planned[0].config["cluster"])
    for trial in planned:
        trial.config["cluster"]["gpus_per_worker"] = gpus
        if not trial.ended:
            fetch(trial.config, trial.run_dir, root, console)
    with ThreadPoolExecutor(1) as uploading:  # to MLflow; a sweep does not wait for it

        def on_end(folder: Path, epochs: int, error: str | None) -> None:
            if records.read(folder)["status"] not in trials.ENDED:
                trials.record_end(folder, epochs, error)
                console.print(trials.line(lookup.trials(run_dir), records.read(folder)))
            waiting.append(uploading.submit(send_waiting, folder, uri, root))  # with the events of an earlier try

        waiting: list[Future[int]] = []
        sweep.run(planned, data_dir=root / "data", data_digest=data.digest, storage=run_dir / "ray", on_end=on_end)
    if count := sum(future.result() for future in waiting):
        console.print(
            f"WARNING     {count} events of trials wait for MLflow: `pipeline sync {run_dir.name}` sends them"
        )


def _trial(record: RunRecord, run_dir: Path, data: DataSet) -> "Trial":
    from pipeline.launch.sweep import Trial

    folder = Path(record["run_dir"])
    facts = describe(
        name=record["name"],
        description=f"A trial of {run_dir.name}: `{shlex.join(record['overrides'])}`",
        params=dict(flatten(json.loads((folder / records.CONFIG).read_text())["unresolved"])),
        tags={"sweep": run_dir.name, "data": data.name, "data.digest": data.digest},
        data=data,
    )
    config = training(records.config(folder))
    return Trial(folder, config, {**facts, "parent": str(run_dir)}, record["status"] in trials.ENDED)


def _bare(key: str) -> str:
    return key.lstrip("+")
