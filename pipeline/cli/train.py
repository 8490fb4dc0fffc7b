"""Verbs that train: once, again, and what a run would be."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ConfigDir, Json, Overrides, Record, RecordAs, Run, Verbose, project_root
from pipeline.cli.terminal import Terminal
from pipeline.errors import ConfigError

app = typer.Typer()


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    record: Record = False,
    record_as: RecordAs = None,
    resume_if_interrupted: Annotated[
        bool, typer.Option(help="Go on with the newest checkpoint of the same configuration, data and code.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train an experiment, test it and track it.

    Example: pipeline train experiment=mnist_cnn seed=1 trainer.max_epochs=2
    """
    from pipeline.actions import record as recording
    from pipeline.actions import train as action

    console = Terminal()
    words = list(overrides or [])
    if record or record_as:  # what is kept is never of the sample
        words.append("++data.allow_sample=false")
    summary = action.train(
        words,
        console,
        root=project_root(),
        config_dir=config_dir,
        verbose=verbose,
        resume_if_interrupted=resume_if_interrupted,
    )
    if record or record_as:
        recording.model(summary, project_root(), record_as)
    console.close(summary, as_json)


@app.command()
def resume(
    run: Run,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Even if code, configuration, data or packages have changed.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Go on with an interrupted run from its newest checkpoint.

    Example: pipeline resume latest
    """
    from pipeline.actions import train as action

    console = Terminal()
    console.close(action.resume(run, console, root=project_root(), verbose=verbose, allow_drift=allow_drift), as_json)


@app.command()
def sweep(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Hydra overrides; key=choice(a,b), range(a,b,step), interval(a,b) are searched."),
    ] = None,
    trials: Annotated[int, typer.Option(help="How many configurations are tried.")] = 10,
    resume: Annotated[str | None, typer.Option(metavar="NAME", help="Go on with an interrupted sweep.")] = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search for a better configuration: trials side by side, those that fall behind on validation are stopped.

    interval() is searched evenly, tag(log,interval(a,b)) by orders of magnitude, int(interval(a,b)) in whole numbers.

    Example: pipeline sweep experiment=digits_mlp 'model.optimizer.lr=tag(log,interval(0.0003,0.03))' --trials 8
    """
    from pipeline.actions import sweep as action

    console = Terminal()
    if resume and overrides:
        raise ConfigError(f"--resume {resume}: goes on with what the sweep began with. Leave out the overrides.")
    if resume:
        summary = action.resume(resume, console, root=project_root(), verbose=verbose)
    else:
        words = list(overrides or [])
        summary = action.sweep(words, trials, console, root=project_root(), config_dir=config_dir, verbose=verbose)
    best = summary["best"]
    console.print(f"best           val {best['measure']}, {best['name']}, of {len(summary['trials'])} trials")
    console.print(f"time           {summary['seconds']:.0f} s in all")
    console.print(f"picture        {os.path.relpath(summary['figure'])}")
    console.print(f"look at it     pipeline ui {summary['name']}")
    console.print(f"train it       {summary['command']}")
    if as_json:
        console.print(json.dumps(summary))


@app.command()
def config(overrides: Overrides = None, config_dir: ConfigDir = None) -> None:
    """Print the configuration as it would run, with the file and line of each class.

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
