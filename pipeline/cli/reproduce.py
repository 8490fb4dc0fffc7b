"""Verbs about reproducibility: fingerprints, DVC's stages, repeated runs, proofs of unchanged results."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json, lecture_project, required_project
from pipeline.cli.terminal import Terminal
from pipeline.errors import ConfigError
from pipeline.files import atomic_write

app = typer.Typer()


@app.command()
def fingerprint(
    folder: Annotated[
        Path, typer.Argument(help="The folder to write EXPERIMENT.json (training) and evaluation/EXPERIMENT.json into.")
    ],
) -> None:
    """Write digests of all that each experiment depends on.

    These are its configuration, data, code and packages.

    Example: pipeline fingerprint prepared/fingerprint
    """
    root = required_project()
    from pipeline.runs.fingerprint import write

    written = write(root, folder)
    print(f"{len(written)} fingerprints in {folder}")


@app.command()
def stages() -> None:
    """Write runs.yaml, the list of runs for DVC.

    It follows from the seeds in params.yaml and the models that experiments require.

    Example: pipeline stages
    """
    root = lecture_project()
    from pipeline.graph.stages import write

    print(write(root))


@app.command()
def collect(
    experiment: Annotated[str, typer.Argument(help="An experiment whose seeds are evaluated in evaluations/.")],
) -> None:
    """Collect the evaluations of an experiment's seeds.

    They are written to results/EXPERIMENT.json.

    Example: pipeline collect mnist_cnn
    """
    root = required_project()
    from pipeline.actions.record import collect as action

    print(action(experiment, root))


@app.command()
def compare(
    runs: Annotated[list[str] | None, typer.Argument(help="EXPERIMENT-SEED …; default: all in evaluations/.")] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file to write the comparison to.")] = None,
    as_json: Json = False,
) -> None:
    """Compare evaluations with the committed results.

    Identical: equal bits. Equal: within 3 standard deviations of the committed seeds. Exit code 1 if one is different.

    Example: pipeline compare mnist_cnn-0
    """
    root = required_project()
    from pipeline.actions import compare as action
    from pipeline.actions import output_file

    if out:
        output_file.check(out, "--out")
    rows = action.compare(runs or [], root)
    for row in rows:
        print(action.line(row))
    worst = asdict(action.worst(rows))
    facts = {key: worst[key] for key in ("verdict", "steps", "first_difference", "differs")}
    content = json.dumps({**facts, "comparison": [asdict(row) for row in rows]})
    if out:
        atomic_write(out, f"{content}\n")
    if as_json:
        print(content)
    if worst["verdict"] == "different":
        raise typer.Exit(1)


@app.command()
def migrate(proofs: Annotated[list[Path], typer.Argument(help="Files that `pipeline prove` wrote.")]) -> None:
    """Rewrite dvc.lock and results/ for renamed code.

    The proof has to show that the renamed code trains the same weights.

    Example: pipeline migrate .cache/proof/a0342f496610.json
    """
    root = lecture_project()
    from pipeline.graph.migrate import migrate as action

    carried, left = action(proofs, root)
    print(f"{len(carried)} stages are carried over in dvc.lock")
    print(f"{len(left)} stages stay stale{': ' if left else ''}{', '.join(left)}")


@app.command()
def reproduce(
    results: Annotated[
        list[str],
        typer.Argument(
            help="EXPERIMENT-SEED of committed results; 'quick': the six of that stage; or runs: names, first "
            "characters, 'latest'."
        ),
    ],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train only so many optimiser steps, and compare with the trail.")
    ] = None,
    interval: Annotated[
        bool,
        typer.Option("--interval", help="Train from a random checkpoint to the next entry of the trail."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a result again with its own code and compare.

    Exit code 0 if each is identical or equal, else 1.

    Without --steps and --interval the whole training and its test are repeated.

    Example: pipeline reproduce mnist_cnn-0 --steps 10
    """
    root = required_project()
    from pipeline.actions import reproduce as action
    from pipeline.graph.stages import compared

    if steps and interval:
        raise ConfigError("--steps and --interval exclude each other. Leave out one of them.")
    found = []
    with Terminal() as console:
        for name in [run for word in results for run in compared(word, root) or [word]]:
            found.append(action.reproduce(name, console, root=root, steps=steps, interval=interval))
            for line in action.lines(found[-1]):
                console.print(line)
    verdict = action.worst(found)
    if as_json:
        rows = [asdict(each) for each in found]
        print(json.dumps(rows[0] if len(rows) == 1 else {"verdict": verdict, "results": rows}))
    if verdict in ("different", "unverifiable"):
        raise typer.Exit(1)


@app.command()
def prove(
    commit: Annotated[str, typer.Argument(help="The commit, tag or branch that the working tree is compared with.")],
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Experiments of conf/experiment/; default: all.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps that each experiment is trained for.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write. Default: .cache/proof/COMMIT.json, with 12 digits of the commit."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare first training steps with those of a commit.

    Each experiment is trained with both codes. Exit code 0 if all weights are bit-identical, else 1.

    Example: pipeline prove HEAD~1 mlp_xor mnist_cnn --steps 20
    """
    root = lecture_project()
    from pipeline.actions import prove as action

    with Terminal() as console:
        proof, file = action.prove(commit, experiments or [], console, root=root, steps=steps, file=out)
    print(f"{proof['identical']} of {proof['of']} identical to {proof['commit'][:12]}; proof: {file}")
    if as_json:
        print(json.dumps(proof))
    if proof["identical"] < proof["of"]:
        raise typer.Exit(1)
