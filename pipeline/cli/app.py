"""The verb that opens the pages."""

from typing import Annotated

import typer

from pipeline.cli.options import project_root

app = typer.Typer()


@app.command(name="app")
def pages(
    port: Annotated[int, typer.Option(min=1, max=65535, help="If it is taken, the next free one.")] = 8000,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Tinker with nets in the browser, on this machine only.

    Example: pipeline app --port 8001 --no-browser
    """
    from pipeline.actions.app import serve

    serve(root=project_root(), port=port, browser=browser, print_line=lambda line: print(line, flush=True))
