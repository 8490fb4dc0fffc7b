"""Verbs about runs and results."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json, Run, Verbose, project_root
from pipeline.cli.terminal import Terminal
from pipeline.types import PrimaryMetric

app = typer.Typer()


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs, newest first.

    Example: pipeline runs
    """
    from pipeline.runs.lookup import listing

    records = listing(project_root())
    if as_json:
        print(json.dumps({"runs": records}))
        return
    for record in records:
        score = PrimaryMetric.of(record.get("metrics", {}))
        print(f"{record['name']:40} {record['status']:12} {record['data']:10} {f'test {score}' if score else ''}")
    if not records:
        print("No runs yet: `pipeline train`.")


@app.command()
def ui(
    run: Annotated[str | None, typer.Argument(help="Open at this run.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Show the tracked runs in MLflow's pages, on this machine only.

    Example: pipeline ui latest
    """
    from pipeline.actions.ui import serve
    from pipeline.config import load_config, resolve

    root = project_root()
    uri = resolve(load_config(root=root))["tracking"]["uri"]
    serve(run, root=root, uri=uri, port=port, browser=browser, print_line=lambda line: print(line, flush=True))


@app.command()
def sync(
    run: Annotated[str | None, typer.Argument(help="This run only.")] = None,
    as_json: Json = False,
) -> None:
    """Tell MLflow what it could not be told while it was down.

    Example: pipeline sync
    """
    from pipeline.actions.sync import sync as action

    sent = action(run, Terminal(), root=project_root())
    for one in sent:
        print(f"{one['name']}: MLflow has it all, as run {one['run_id']}")
    if as_json:
        print(json.dumps({"synced": sent}))
    elif not sent:
        print("Nothing waits: MLflow has been told everything.")


@app.command()
def promote(run: Run, as_json: Json = False) -> None:
    """Register a run's model; the alias `champion` moves to it if it is better on validation by more than the noise.

    Example: pipeline promote latest
    """
    from pipeline.actions.promote import promote as action

    done = action(run, Terminal(), root=project_root())
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
    run: Annotated[bool, typer.Option("--run", help="First train what has no results yet: hours.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say of each claim of the lecture whether it holds, and why.

    Example: pipeline claims
    """
    from pipeline.actions import claims as action

    if run:
        action.run_missing(Terminal(), root=project_root(), verbose=verbose)
    rows = action.table(project_root())
    for row in rows:
        print(f"{row.number}. {row.claim}: {row.verdict}\n   {row.evidence}\n   {row.command}")
    if as_json:
        print(json.dumps({"claims": [asdict(row) for row in rows]}))


@app.command()
def report(
    experiments: Annotated[list[str] | None, typer.Argument(help="Only these, and the HTML page alone.")] = None,
    page: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("reports/index.html"),
) -> None:
    """Write the pages of results, reports/index.html and docs/results.md, from what is recorded.

    Example: pipeline report
    """
    from pipeline.actions.report import write

    for path in write(project_root(), experiments or [], page):
        print(path)


@app.command()
def doctor() -> None:
    """Check versions, disk, data, ports, cluster and tracking.

    Example: pipeline doctor
    """
    from pipeline.actions.doctor import checks

    for what, well, found in checks(project_root()):
        print(f"{'ok ' if well else 'NO '} {what:12} {found}")


@app.command()
def clean(yes: Annotated[bool, typer.Option("--yes", help="Remove what is listed.")] = False) -> None:
    """List what no run needs any more, with sizes: old checkpoints, half-written folders, Ray's.

    Example: pipeline clean
    """
    from pipeline.actions.clean import remnants, remove

    found = remnants(project_root())
    for one in found:
        print(f"{one.size / 1e6:8.1f} MB  {one.what:14}  {one.path}")
    if yes:
        found = remove(found)
    done = "removed" if yes else "can go: `pipeline clean --yes`"
    print(f"{sum(one.size for one in found) / 1e6:8.1f} MB  in {len(found)} folders {done}")
