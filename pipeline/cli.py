"""The verbs users type: names, help and output; the only place where errors become text."""

import errno
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import find_root
from pipeline.errors import Interrupted, PipelineError
from pipeline.options import ConfigDir, Json, Overrides, Record, Run, Verbose
from pipeline.terminal import Terminal
from pipeline.types import Headline

app = typer.Typer(
    help="Train, track and reproduce the networks of the lecture 'Neural Networks for Machine Learning'.",
    epilog="Any verb takes --debug, which shows the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Get, check and show the data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    record: Record = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train an experiment, test it and track it.

    Example: pipeline train experiment=mnist_cnn seed=1 trainer.max_epochs=2
    """
    from pipeline.actions import record as recording
    from pipeline.actions import train as action

    out = Terminal()
    summary = action.train(overrides or [], out, root=_root(), config_dir=config_dir, verbose=verbose)
    if record:
        recording.model(summary, _root())
    out.close(summary, as_json)


@app.command()
def resume(run: Run, as_json: Json = False, verbose: Verbose = False) -> None:
    """Go on with an interrupted run from its newest checkpoint.

    Example: pipeline resume latest
    """
    from pipeline.actions import train as action

    out = Terminal()
    out.close(action.resume(run, out, root=_root(), verbose=verbose), as_json)


@app.command()
def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    record: Record = False,
    as_json: Json = False,
) -> None:
    """Score a stored model on a split of its data.

    Example: pipeline evaluate latest --split val
    """
    from pipeline.actions import models
    from pipeline.actions import record as recording

    if split not in ("train", "val", "test"):
        raise typer.BadParameter(f"{split!r} is not train, val or test", param_hint="--split")
    result = models.evaluate(run, split, root=_root())  # type: ignore[arg-type]
    if record:
        recording.metrics(result, _root())
    for name, value in result["metrics"].items():
        print(f"{name:14} {value:.4f}")
    print(f"on {result['dataset']['rows'][split]:,} samples of {result['dataset']['name']}")
    if as_json:
        print(json.dumps(result))


@app.command()
def predict(
    run: Run,
    inputs: Annotated[list[str], typer.Argument(help="PNG or idx images; for a net that reads, texts or files.")],
    as_json: Json = False,
) -> None:
    """Say what a stored model makes of images or texts.

    Example: pipeline predict latest digit.png
    """
    from pipeline.actions import models

    answers = models.predict(run, inputs, root=_root())
    for answer in answers:
        certain = f"\t{answer['probability']:.1%}" if "probability" in answer else ""
        print(f"{answer['input']}\t{answer['label']}{certain}")
    if as_json:
        print(json.dumps({"predictions": answers}))


@app.command()
def config(overrides: Overrides = None, config_dir: ConfigDir = None) -> None:
    """Print the configuration as it would run, with the file and line of each class.

    Example: pipeline config model.optimizer.lr=0.003
    """
    import yaml

    from pipeline.config import load_config, locate, resolve
    from pipeline.tracking import redact

    plain = resolve(load_config(*(overrides or []), root=_root(), config_dir=config_dir))
    for line in redact(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).splitlines():
        _, _, target = line.partition("_target_: ")
        file, number = locate(target) if target else (None, 0)
        print(f"{line}  # {_short(file)}:{number}" if file else line)


@data_app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="mnist, imdb; all of them if none is named.")] = None,
    mirror: Annotated[
        str | None,
        typer.Option(envvar="PIPELINE_DATA_MIRROR", help="A folder, file or URL asked before the public ones."),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Also write the digests here, as JSON.")] = None,
) -> None:
    """Make data sets complete and verified under data/.

    Example: pipeline data pull mnist
    """
    from pipeline.actions import data

    out = Terminal()
    for name, source in data.pull(names or [], root=_root(), mirror=mirror, progress=out.download).items():
        print(f"{name}: verified ({source})")
    if manifest:
        data.write_manifest(names or [], manifest)


@data_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="mnist, imdb; all if none is named.")] = None,
) -> None:
    """Check every byte of the data sets; exit code 2 if one is missing or wrong.

    Example: pipeline data verify mnist
    """
    from pipeline.data import store

    for name in names or store.FILES:
        store.verify(name, _root() / "data")
        print(f"{name}: verified, digest {store.digest(name)}")


@data_app.command()
def show(as_json: Json = False) -> None:
    """List the data sets: digest, size, and whether they are here.

    Example: pipeline data show
    """
    from pipeline.actions.data import state
    from pipeline.data import store

    states = [state(name, _root()) for name in store.FILES]
    for one in states:
        verdict = "verified" if one["verified"] else f"not complete: `pipeline data pull {one['name']}`"
        print(f"{one['name']:8} {one['digest'][:12]}  {one['bytes'] / 1e6:6.1f} MB  {verdict}")
    if as_json:
        print(json.dumps({"data": states}))


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

    root = _root()
    uri = resolve(load_config(root=root))["tracking"]["uri"]
    serve(run, root=root, uri=uri, port=port, browser=browser, say=lambda line: print(line, flush=True))


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs, newest first.

    Example: pipeline runs
    """
    from pipeline.actions.runs import listing

    records = listing(_root())
    if as_json:
        print(json.dumps({"runs": records}))
        return
    for record in records:
        score = Headline.of(record.get("metrics", {}))
        print(f"{record['name']:40} {record['status']:12} {record['data']:10} {f'test {score}' if score else ''}")
    if not records:
        print("No runs yet: `pipeline train`.")


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
        action.run_missing(Terminal(), root=_root(), verbose=verbose)
    rows = action.table(_root())
    for row in rows:
        print(f"{row.number}. {row.claim}: {row.verdict}\n   {row.evidence}\n   {row.command}")
    if as_json:
        print(json.dumps({"claims": [asdict(row) for row in rows]}))


@app.command()
def report() -> None:
    """Write docs/results.md from the committed results.

    Example: pipeline report
    """
    from pipeline.actions.record import results_page

    print(results_page(_root()))


@app.command()
def doctor() -> None:
    """Check versions, disk, data, ports, cluster and tracking.

    Example: pipeline doctor
    """
    from pipeline.actions.doctor import checks

    for what, well, found in checks(_root()):
        print(f"{'ok ' if well else 'NO '} {what:12} {found}")


def _root() -> Path:
    """The project, or where there is none (an installed package) the current folder."""
    return find_root(Path.cwd()) or Path.cwd()


def _short(file: Path) -> str:
    return os.path.relpath(file) if file.is_relative_to(_root()) else str(file)


def main() -> None:
    """Run the command; every error the user can mend becomes a few words and exit code 2."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except Interrupted as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except PipelineError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if debug or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        print(f"error: {error.filename or 'disk'}: {error.strerror}. Make room, then go on.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
