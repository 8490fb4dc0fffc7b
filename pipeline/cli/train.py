"""Verbs that train, resume and search, and the configuration that would be trained."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import ConfigDir, Json, Overrides, Record, RecordAs, Run, Storage, Verbose, project_root
from pipeline.cli.terminal import Terminal
from pipeline.config import check_name
from pipeline.errors import ConfigError

if TYPE_CHECKING:  # takes long to import
    from pipeline.runs.records import RunRecord

app = typer.Typer()


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    record: Record = False,
    record_as: RecordAs = None,
    resume_if_interrupted: Annotated[
        bool, typer.Option(help="Resume an interrupted run of the same configuration, data and code, if there is one.")
    ] = False,
    run_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The run's name, for jobs that are started again: an unfinished run of this name is resumed, a "
            "finished one is not trained again.",
        ),
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train an experiment, evaluate it on test, track it in MLflow.

    Example: pipeline train experiment=mnist_cnn seed=1 trainer.max_epochs=2
    """
    from pipeline.actions import record as recording
    from pipeline.actions import train as action
    from pipeline.runs.provenance import check_committed

    if record:
        check_committed(project_root())
    recording.check(record_as, project_root())
    words = list(overrides or [])
    if run_name:
        check_name("--run-name", run_name)
    if record or record_as:  # recorded results are never of the sample
        words.append("++data.allow_sample=false")
    with Terminal() as console:
        summary = action.train(
            words,
            console,
            root=project_root(),
            config_dir=config_dir,
            verbose=verbose,
            resume_if_interrupted=resume_if_interrupted,
            run_name=run_name,
            storage=storage,
        )
        if record or record_as:
            recording.model(summary, project_root(), record_as)
        console.close(summary, as_json)


@app.command()
def resume(
    run: Run,
    allow_drift: Annotated[
        bool,
        typer.Option("--allow-drift", help="Resume even if code, configuration, data or packages have changed."),
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="URL of a cluster's dashboard: RUN is a job there, and is resumed there.")
    ] = None,
    storage: Storage = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Resume an interrupted or failed run from its checkpoint.

    With --address the run of a job on a cluster is resumed there. With --storage a run that is not here is fetched.

    Example: pipeline resume latest
    """
    if address:
        _resume_job(run, address, allow_drift, as_json)
        return
    from pipeline.actions import train as action

    with Terminal() as console:
        summary = action.resume(
            run, console, root=project_root(), verbose=verbose, allow_drift=allow_drift, storage=storage
        )
        console.close(summary, as_json)


def _resume_job(job: str, address: str, allow_drift: bool, as_json: bool) -> None:
    from pipeline.actions import cluster as action
    from pipeline.cli.cluster import exit_as, follow

    with Terminal() as console:
        name = action.resume(job, console, address=address, root=project_root(), allow_drift=allow_drift)
        status = follow(name, console, address=address, wait=True, as_json=as_json)
    exit_as(status)


@app.command()
def sweep(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Hydra overrides; choice(a,b), range(a,b,step) and interval(a,b) as values are searched."),
    ] = None,
    trials: Annotated[int, typer.Option(help="The number of configurations that are tried.")] = 10,
    resume: Annotated[str | None, typer.Option(metavar="NAME", help="Resume this interrupted sweep.")] = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search hyperparameters with parallel trials.

    Trials that fall behind on validation are stopped.

    interval(a,b) is sampled uniformly, tag(log,interval(a,b)) log-uniformly, int(interval(a,b)) in whole numbers.

    Example: pipeline sweep experiment=digits_mlp 'model.optimizer.lr=tag(log,interval(0.0003,0.03))' --trials 8
    """
    from pipeline.actions import sweep as action

    if resume and overrides:
        raise ConfigError(f"--resume {resume}: a sweep is resumed with its own configuration. Leave out the overrides.")
    with Terminal() as console:
        if resume:
            summary = action.resume(resume, console, root=project_root(), verbose=verbose)
        else:
            words = list(overrides or [])
            summary = action.sweep(words, trials, console, root=project_root(), config_dir=config_dir, verbose=verbose)
        _close_sweep(summary, console, as_json)


def _close_sweep(summary: "RunRecord", console: Terminal, as_json: bool) -> None:
    """Print a sweep's best trial, and the commands that lead on from it."""
    best = summary["best"]
    console.row("best", f"val {best['measure']}, {best['name']}, of {len(summary['trials'])} trials")
    console.row("time", f"{summary['seconds']:.0f} s in all")
    console.row("figure", os.path.relpath(summary["figure"]))
    console.row("open in MLflow", f"pipeline ui {summary['name']}")
    console.row("train the best", summary["command"])
    if as_json:
        console.print(json.dumps(summary))


@app.command()
def config(overrides: Overrides = None, config_dir: ConfigDir = None) -> None:
    """Print the composed configuration.

    Each class is shown with its file and line.

    Example: pipeline config model.optimizer.lr=0.003
    """
    import yaml

    from pipeline.config import load_config, resolve
    from pipeline.config.redaction import redact
    from pipeline.config.targets import locate

    plain = resolve(load_config(*(overrides or []), root=project_root(), config_dir=config_dir))
    for line in redact(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).splitlines():
        _, _, target = line.partition("_target_: ")
        file, number = locate(target) if target else (None, 0)
        print(f"{line}  # {_short(file)}:{number}" if file else line)


def _short(file: Path) -> str:
    return os.path.relpath(file) if file.is_relative_to(project_root()) else str(file)
