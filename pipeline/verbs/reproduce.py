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
def plan(folder: Annotated[Path, typer.Argument(help="Where to write the plans, as EXPERIMENT.json.")]) -> None:
    """Write what each experiment's result depends on: its configuration, data and code, with digests.

    Example: pipeline plan prepared/plan
    """
    from pipeline.actions.plan import write

    written = write(project_root(), folder)
    print(f"{len(written)} plans in {folder}")


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


@app.command()
def prove(
    commit: Annotated[str, typer.Argument(help="What the working tree is compared with: a commit, tag or branch.")],
    experiments: Annotated[list[str] | None, typer.Argument(help="Of conf/experiment/; all, if none is named.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="How many optimiser steps each experiment is trained for.")] = 20,
    out: Annotated[Path | None, typer.Option(help="The proof's file. Default: .cache/proof/COMMIT12.json")] = None,
    as_json: Json = False,
) -> None:
    """Train the first steps of each experiment with a commit's code and with today's, and compare the weights.

    Exit code 0 if all are bit-identical, else 2.

    Example: pipeline prove HEAD~1 mlp_xor mnist_cnn --steps 20
    """
    from pipeline.actions import prove as action

    proof, file = action.prove(commit, experiments or [], Terminal(), root=project_root(), steps=steps, file=out)
    print(f"{proof['identical']} of {proof['of']} identical to {proof['commit'][:12]}; proof: {file}")
    if as_json:
        print(json.dumps(proof))
    if proof["identical"] < proof["of"]:
        raise typer.Exit(2)
