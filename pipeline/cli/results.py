"""Verbs about runs, tracking and results."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Json, Run, Verbose, lecture_project, project_root, required_project
from pipeline.cli.terminal import Terminal
from pipeline.types import PrimaryMetric

if TYPE_CHECKING:  # takes long to import
    from pipeline.runs.records import RunRecord

app = typer.Typer()


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs, newest first.

    Example: pipeline runs
    """
    from pipeline.runs.lookup import listing, none_yet

    records = listing(project_root())
    if as_json:
        print(json.dumps({"runs": records}))
        return
    for line in _table([_row(record) for record in records]):
        print(line)
    if not records:
        print(none_yet(project_root()))


def _row(record: "RunRecord") -> tuple[str, ...]:
    score = PrimaryMetric.of(record.get("metrics", {}))
    model = record.get("model") or "-"
    return record["name"], record["status"], record["data"], str(model), f"test {score}" if score else ""


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines, their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


@app.command()
def ui(
    run: Annotated[str | None, typer.Argument(help="A run to open; default: the list of runs.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port, on the loopback interface only.")] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Open the tracked runs in MLflow's pages.

    Only this machine can reach them.

    Example: pipeline ui latest
    """
    from pipeline.actions.ui import serve
    from pipeline.config import load_config, resolve

    root = project_root()
    uri = resolve(load_config(root=root))["tracking"]["uri"]
    serve(run, root=root, uri=uri, port=port, browser=browser, print_line=lambda line: print(line, flush=True))


@app.command()
def sync(
    run: Annotated[str | None, typer.Argument(help="A run; default: all that have waiting events.")] = None,
    as_json: Json = False,
) -> None:
    """Send MLflow what could not be sent while it was down.

    Example: pipeline sync
    """
    from pipeline.actions.sync import sync as action

    with Terminal() as console:
        sent = action(run, console, root=project_root())
    for record in sent:
        print(f"{record['name']}: complete in MLflow, as run {record['run_id']}")
    if as_json:
        print(json.dumps({"synced": sent}))
    elif not sent:
        print("Nothing to send: MLflow has every run.")


@app.command()
def promote(run: Run, as_json: Json = False) -> None:
    """Register a run's model in MLflow.

    It gets the alias `champion` if it is significantly better on validation than the one that has it.

    Example: pipeline promote latest
    """
    from pipeline.actions.promote import promote as action

    with Terminal() as console:
        done = action(run, console, root=project_root())
    print(f"registered  models:/{done.model}/{done.version}, from {done.run}")
    print(f"validation  {done.score:.2%} right of {done.samples:,} samples of {done.model}")
    if done.rival:
        print(f"champion    {done.rival_score:.2%}, by {done.rival}")
        print(f"difference  {done.difference:+.2%} ± {done.error:.2%} (one standard error, of the same samples)")
    print(f"{'promoted' if done.promoted else 'kept':11} models:/{done.model}@champion is {done.champion}: {done.why}")
    if as_json:
        print(json.dumps(asdict(done)))


@app.command()
def claims(
    run: Annotated[
        bool, typer.Option("--run", help="First train the experiments without results, which takes hours.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check each claim of the lecture against the recorded results.

    Example: pipeline claims
    """
    root = lecture_project()
    from pipeline.actions import claims as action

    if run:
        with Terminal() as console:
            action.run_missing(console, root=root, verbose=verbose)
    rows = action.table(root)
    for row in rows:
        print(f"{row.number}. {row.claim}.\n   {row.sign} {row.verdict}\n   {row.evidence}\n   {row.command}")
    if as_json:
        print(json.dumps({"claims": [asdict(row) for row in rows]}))


@app.command()
def report(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments; then only the HTML page is written. Default: all, and docs/results.md."),
    ] = None,
    page: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("reports/index.html"),
) -> None:
    """Write the pages of recorded results.

    The pages are reports/index.html and docs/results.md.

    Example: pipeline report
    """
    root = required_project()
    from pipeline.actions.report import write

    for path in write(root, experiments or [], page):
        print(path)


@app.command()
def doctor() -> None:
    """Check versions, disk, data, ports, cluster and tracking.

    Example: pipeline doctor
    """
    from pipeline.actions.doctor import checks

    results = checks(project_root())
    width = max(len(name) for name, _, _ in results)
    for name, passed, detail in results:
        print(f"{'ok ' if passed else 'NO '} {name:{width}} {detail}")


@app.command()
def clean(yes: Annotated[bool, typer.Option("--yes", help="Remove the listed files and folders.")] = False) -> None:
    """List what no run needs any more; --yes removes it.

    That is old checkpoints, half-written files and Ray's folders. Models and results stay.

    Example: pipeline clean
    """
    from pipeline.actions.clean import remnants, remove

    listed = remnants(project_root())
    for remnant in listed:
        print(f"{remnant.size / 1e6:8.1f} MB  {remnant.kind:14}  {remnant.path}")
    if yes:
        listed = remove(listed)
    total = f"{sum(remnant.size for remnant in listed) / 1e6:8.1f} MB  in {len(listed)} files and folders"
    print(f"{total}, removed" if yes else f"{total}. Remove them: `pipeline clean --yes`.")
