"""The command: all verbs under one name, and the only place where errors become text."""

import errno
import gc
import io
import os
import sys
import traceback
from contextlib import suppress
from typing import Any

import typer

from pipeline.cli import app as pages
from pipeline.cli import cluster, data, models, new, repro, reproduce, results, train
from pipeline.cli.options import project_root
from pipeline.cli.usage import UsageError, translate
from pipeline.cli.user import provide_user
from pipeline.config import use_project
from pipeline.errors import Interrupted, PipelineError
from pipeline.tracking.address import bypass_proxy
from pipeline.training import cpu

app = typer.Typer(
    help="Train, track and reproduce the networks of the lecture 'Neural Networks for Machine Learning'.",
    epilog="First steps: `pipeline doctor`, then `pipeline train`. Any verb takes --debug, which shows the traceback "
    "of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (new, train, models, results, repro, reproduce, pages, cluster):
    app.add_typer(group.app)
app.add_typer(data.app, name="data")

OVERVIEW = """\
Train, track and reproduce the networks of the lecture 'Neural Networks for Machine Learning'. Most people start with:

  pipeline train                       train a CNN that reads digits, and test it
  pipeline predict latest digit.png    predict with the newest model
  pipeline ui latest                   open its run in MLflow
  pipeline app                         draw digits and build networks in a browser
  pipeline data check FOLDER           look at pictures or texts of your own, before training

`pipeline --help` lists all verbs. `pipeline VERB --help` explains one, with an example."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # of a disk
# Python looks for garbage after 700 new objects, but those of imports stay: with its default of 700, 10, 10 this search
# takes a tenth of the CPU time of a short training.
COLLECT = (50_000, 20, 20)
READER_LEFT = 141  # as a program that SIGPIPE ends


def main() -> None:
    """Run the command; every error the user can fix becomes a few words and exit code 2."""
    gc.set_threshold(*COLLECT)
    cpu.fix_instructions()
    bypass_proxy()
    _print_any_text()
    debug = "--debug" in sys.argv
    words = [word for word in sys.argv[1:] if word != "--debug"]
    code = _flush(_run(words, debug))
    # The end of the process searches all objects for garbage, which after `import torch` takes a third of its time.
    gc.freeze()
    sys.exit(code)


def _run(words: list[str], debug: bool) -> int:
    """Return the exit code of a verb; its errors are printed."""
    try:
        root = project_root()
        provide_user(root / ".cache/home")
        use_project(root)
        code: object = app(words, prog_name="pipeline", standalone_mode=False)
    except UsageError as error:
        return _usage(error, words)
    except Interrupted as error:
        _complain(str(error))
        return error.exit_code
    except PipelineError as error:
        if debug:
            traceback.print_exc()
        _complain(f"error: {error}")
        return 2
    except OSError as error:
        if debug or error.errno not in FULL:
            raise
        _complain(f"error: {error.filename or 'disk'}: {error.strerror}. Make room, then type the command again.")
        return 2
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):  # else typer's 1, which is a failed verb's
            raise
        return READER_LEFT
    if code == 130:  # how typer returns a KeyboardInterrupt
        _complain("interrupted")
    return code if isinstance(code, int) else 0


def _usage(error: Any, words: list[str]) -> int:
    """Print what is wrong with the command line; without a verb, which is not an error, the first steps or the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.ctx.get_help() if words else OVERVIEW)
        return 0
    _complain(f"error: {translate(error, words)}")
    return 2


def _print_any_text() -> None:
    """Let a terminal or file of a narrow encoding show `?` for what it lacks, where Python would raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _complain(line: str) -> None:
    with suppress(OSError):  # nobody reads it: `pipeline … 2>&1 | head -1`
        print(line, file=sys.stderr)


def _flush(code: int) -> int:
    """Flush standard output; return the exit code, another one if its reader has left (`pipeline runs | head`)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return READER_LEFT
    return code
