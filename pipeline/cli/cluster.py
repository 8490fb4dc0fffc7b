"""Verbs about jobs on a cluster."""

import json
import sys
from datetime import datetime
from typing import Annotated

import typer

from pipeline.cli.options import ConfigDir, Json, project_root
from pipeline.cli.terminal import Terminal

app = typer.Typer()
Address = Annotated[str, typer.Option(help="URL of the cluster's dashboard.", envvar="PIPELINE_CLUSTER")]
Job = Annotated[str, typer.Argument(help="A job's name or its first characters, or 'latest'.")]
DEFAULT_STORAGE = "~/lecture-pipeline"
LOCAL = "http://127.0.0.1:8265"


@app.command()
def submit(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Hydra overrides of a training; or train, resume, sweep, evaluate, predict or repro with arguments, "
            "after -- if options are among them.",
        ),
    ] = None,
    address: Address = LOCAL,
    storage: Annotated[
        str,
        typer.Option(
            help="The folder on the head with data/ and runs/, best one that all nodes share; or s3://BUCKET/PREFIX, "
            "for a run that outlives the cluster: it is copied there with each checkpoint.",
        ),
    ] = DEFAULT_STORAGE,
    config_dir: ConfigDir = None,
    wait: Annotated[bool, typer.Option(help="Print the job's log until it ends.")] = True,
    as_json: Json = False,
) -> None:
    """Train on a cluster, or run another verb there.

    Code and configuration are sent; a job is started there and its log is printed.

    Example: pipeline submit experiment=mnist_cnn --address http://127.0.0.1:8265
    """
    from pipeline.actions import cluster as action

    with Terminal() as console:
        job = action.submit(
            words or [], console, address=address, storage=storage, root=project_root(), config_dir=config_dir
        )
        status = follow(job, console, address=address, wait=wait, as_json=as_json)
    exit_as(status)


def follow(job: str, console: Terminal, *, address: str, wait: bool, as_json: bool) -> str:
    """Print a submitted job's log until it ends or Ctrl-C, then what can be done with it; its status."""
    from pipeline.actions import cluster as action

    status = "SUBMITTED"
    try:
        status = action.follow(job, console, address=address) if wait else status
    except KeyboardInterrupt:
        console.print("no longer following; the job continues on the cluster")
    console.row("follow its log", f"pipeline logs {job} -f")
    console.row("stop it", f"pipeline stop {job}")
    if as_json:
        console.print(json.dumps({"job": job, "status": status}))
    return status


@app.command()
def jobs(address: Address = LOCAL, as_json: Json = False) -> None:
    """List the cluster's jobs, newest first.

    Example: pipeline jobs
    """
    from pipeline.actions import cluster as action

    listed = action.listing(address=address)
    if as_json:
        print(json.dumps({"jobs": listed}))
        return
    for job in listed:
        started = datetime.fromtimestamp(job["started"]).strftime("%d %b %H:%M")
        print(f"{job['name']:44} {job['status']:10} {started}  {job['command']}")
    if not listed:
        print("No jobs yet: `pipeline submit`.")


@app.command()
def logs(
    job: Job,
    until_end: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the job ends.")] = False,
    address: Address = LOCAL,
) -> None:
    """Print a job's log.

    Example: pipeline logs latest -f
    """
    from pipeline.actions import cluster as action

    if until_end:
        with Terminal() as console:
            status = action.follow(job, console, address=address)
        exit_as(status)
    else:
        print(action.logs(job, address=address), end="")


@app.command()
def stop(job: Job, address: Address = LOCAL) -> None:
    """Stop a job at its next step; its training state is kept.

    Example: pipeline stop latest
    """
    from pipeline.actions import cluster as action

    name, status = action.stop(job, address=address)
    print(f"{name}: {status}. {action.next_step(name, status, address)}")


def exit_as(status: str) -> None:
    """End with 1 if the job failed, 75 if it was stopped and can be resumed."""
    if code := {"FAILED": 1, "STOPPED": 75}.get(status):
        sys.exit(code)
