"""The verb that serves the interactive pages."""

from typing import Annotated

import typer

from pipeline.cli.options import project_root

app = typer.Typer()


@app.command(name="app")
def pages(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The first port that is tried; the next free one is taken.")
    ] = 8000,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Serve the interactive pages to a browser on this machine.

    Train small nets, watch a training, draw digits, type reviews.

    Example: pipeline app --port 8001 --no-browser
    """
    from pipeline.actions.app import serve

    serve(root=project_root(), port=port, browser=browser, print_line=lambda line: print(line, flush=True))
