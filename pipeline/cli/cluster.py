"""Verbs about jobs on a cluster."""

import json
import sys
from datetime import datetime
from typing import Annotated

import typer

from pipeline.cli.options import ConfigDir, Json, Overrides, project_root
from pipeline.cli.terminal import Terminal

app = typer.Typer()
Address = Annotated[
    str, typer.Option(help="The cluster's dashboard.", envvar="PIPELINE_CLUSTER", show_default="http://127.0.0.1:8265")
]
Job = Annotated[str, typer.Argument(help="A job's name or the start of it, or 'latest'.")]
HERE = "http://127.0.0.1:8265"


@app.command()
def submit(
    overrides: Overrides = None,
    address: Address = HERE,
    storage: Annotated[
        str, typer.Option(help="The folder there that holds data/ and runs/; best one that all nodes see.")
    ] = "~/lecture-pipeline",
    config_dir: ConfigDir = None,
    wait: Annotated[bool, typer.Option(help="Follow the job until it ends.")] = True,
    as_json: Json = False,
) -> None:
    """Train on a cluster: send code and configuration, start a job there and follow it.

    Example: pipeline submit experiment=mnist_cnn trainer.shards=2 --address http://127.0.0.1:8265
    """
    from pipeline.actions import cluster as action

    console = Terminal()
    job = action.submit(
        overrides or [], console, address=address, storage=storage, root=project_root(), config_dir=config_dir
    )
    status = "SUBMITTED"
    try:
        status = action.follow(job, console, address=address) if wait else status
    except KeyboardInterrupt:
        console.print("no longer following; the job goes on")
    console.print(f"look again     pipeline logs {job} -f")
    console.print(f"end it         pipeline stop {job}")
    if as_json:
        console.print(json.dumps({"job": job, "status": status}))
    _exit(status)


@app.command()
def jobs(address: Address = HERE, as_json: Json = False) -> None:
    """List the cluster's jobs, newest first.

    Example: pipeline jobs
    """
    from pipeline.actions import cluster as action

    found = action.listing(address=address)
    if as_json:
        print(json.dumps({"jobs": found}))
        return
    for job in found:
        started = datetime.fromtimestamp(job["started"]).strftime("%d %b %H:%M")
        print(f"{job['name']:44} {job['status']:10} {started}  {job['command']}")
    if not found:
        print("No jobs yet: `pipeline submit`.")


@app.command()
def logs(
    job: Job,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    address: Address = HERE,
) -> None:
    """Print what a job has said.

    Example: pipeline logs latest -f
    """
    from pipeline.actions import cluster as action

    if follow:
        _exit(action.follow(job, Terminal(), address=address))
    else:
        print(action.logs(job, address=address), end="")


@app.command()
def stop(job: Job, address: Address = HERE) -> None:
    """Let a job keep its state at its next step, and end it.

    Example: pipeline stop latest
    """
    from pipeline.actions import cluster as action

    name, status = action.stop(job, address=address)
    print(f"{name}: {status}. Its run goes on with `pipeline resume RUN`, in the job's folder on the cluster.")


def _exit(status: str) -> None:
    """End with 1 if the job failed, 75 if it was stopped and can go on."""
    if code := {"FAILED": 1, "STOPPED": 75}.get(status):
        sys.exit(code)
