"""Entry point of a page's process, apart from `session` so that the server does not import torch."""

from multiprocessing.connection import Connection


def run_process(pipe: Connection) -> None:
    """Train for the page at the other end of the pipe until the pipe is closed."""
    from pipeline.app.play.session import run_session

    run_session(pipe)
