"""Where a page's process begins; a module of its own, so that the server can name it without importing torch."""

from multiprocessing.connection import Connection


def begin(pipe: Connection) -> None:
    """Train for the page at the other end until it is closed."""
    from pipeline.app.play.session import work

    work(pipe)
