"""Verbs that repeat results and judge what is repeated."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.options import Json, Run, project_root
from pipeline.terminal import Terminal

app = typer.Typer()


@app.command()
def fingerprint(
    folder: Annotated[Path, typer.Argument(help="For EXPERIMENT.json (training) and evaluation/EXPERIMENT.json.")],
) -> None:
    """Write what each experiment's result depends on: its configuration, data, code and packages, with digests.

    Example: pipeline fingerprint prepared/fingerprint
    """
    from pipeline.fingerprint import write

    written = write(project_root(), folder)
    print(f"{len(written)} fingerprints in {folder}")


@app.command()
def reproduce(run: Run, as_json: Json = False) -> None:
    """Run a finished run again, with its own code, configuration, seed and data, and say what differs.

    Example: pipeline reproduce latest
    """
    from pipeline.actions import reproduce as action

    found = action.reproduce(run, Terminal(), root=project_root())
    print(f"{found.run}: {'bit-identical' if found.identical else 'other weights'}")
    for what, (before, after) in found.differs.items():
        print(f"{what} differs: {before} then, {after} now")
    for name, (before, after) in found.metrics.items():
        print(f"{name:24} {before:.6f} then, {after:.6f} now, {after - before:+.6f}")
    if as_json:
        print(json.dumps(asdict(found)))
