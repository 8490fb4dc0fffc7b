"""Verbs that repeat results and judge what is repeated."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json, Run, project_root
from pipeline.cli.terminal import Terminal

app = typer.Typer()


@app.command()
def fingerprint(
    folder: Annotated[Path, typer.Argument(help="For EXPERIMENT.json (training) and evaluation/EXPERIMENT.json.")],
) -> None:
    """Write what each experiment's result depends on: its configuration, data, code and packages, with digests.

    Example: pipeline fingerprint prepared/fingerprint
    """
    from pipeline.runs.fingerprint import write

    written = write(project_root(), folder)
    print(f"{len(written)} fingerprints in {folder}")


@app.command()
def stages() -> None:
    """Write runs.yaml, the runs that `dvc repro` records: from the seeds in params.yaml and what experiments require.

    Example: pipeline stages
    """
    from pipeline.graph.stages import write

    print(write(project_root()))


@app.command()
def collect(experiment: Annotated[str, typer.Argument(help="The experiment whose seeds were evaluated.")]) -> None:
    """Gather the evaluations of an experiment's seeds in results/EXPERIMENT.json.

    Example: pipeline collect mnist_cnn
    """
    from pipeline.actions.record import collect as action

    print(action(experiment, project_root()))


@app.command()
def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="EXPERIMENT-SEED; all that are evaluated here if none.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the comparison here, as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Compare the evaluations in this working tree with the committed results; exit code 1 if one is different.

    Example: pipeline compare mnist_cnn-0
    """
    from pipeline.actions.compare import compare as action

    found = action(runs or [], project_root())
    for one in found:
        spread = f"± {one.std:.2g} over {one.seeds} seeds" if one.seeds > 1 else "one seed"
        print(
            f"{one.run:32} {one.verdict:10} {one.measure} {one.here:.6g} here, {one.committed:.6g} committed ({spread})"
        )
    content = json.dumps({"comparison": [asdict(one) for one in found]})
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{content}\n")
    if as_json:
        print(content)
    if any(one.verdict == "different" for one in found):
        raise typer.Exit(1)


@app.command()
def migrate(proof: Annotated[Path, typer.Argument(help="The file that `pipeline prove` wrote.")]) -> None:
    """Carry recorded results over to renamed code, where a proof shows that it trains the same weights.

    Example: pipeline migrate .cache/proof/a0342f496610.json
    """
    from pipeline.graph.migrate import migrate as action

    carried, left = action(proof, project_root())
    print(f"{len(carried)} stages carried over in dvc.lock")
    print(f"{len(left)} left stale{': ' if left else ''}{', '.join(left)}")


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
