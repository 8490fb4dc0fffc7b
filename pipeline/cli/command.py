"""The command: all verbs under one name, and the only place where errors become text."""

import errno
import sys
import traceback

import typer

from pipeline.cli import app as pages
from pipeline.cli import cluster, data, models, reproduce, results, train
from pipeline.errors import Interrupted, PipelineError
from pipeline.training import cpu

app = typer.Typer(
    help="Train, track and reproduce the networks of the lecture 'Neural Networks for Machine Learning'.",
    epilog="Any verb takes --debug, which shows the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (train, models, results, reproduce, pages, cluster):
    app.add_typer(group.app)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command; every error the user can mend becomes a few words and exit code 2."""
    cpu.fix_instructions()
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
