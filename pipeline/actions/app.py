"""Serve the interactive pages on the loopback interface."""

import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path

from pipeline.actions.doctor import port_owner
from pipeline.errors import LaunchError

TRIES = 20  # ports, from the chosen one on


def serve(*, root: Path, port: int, browser: bool, print_line: Callable[[str], None]) -> None:
    """Serve the pages until interrupted, at the first free port from `port` on.

    Raises: LaunchError if none of 20 ports is free.
    """
    from pipeline.app import server

    with _listen(port, print_line) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"

        def started() -> None:
            print_line(f"Serving at {address}  (Ctrl-C stops it)")
            if browser:
                webbrowser.open(address)

        server.serve(root, listening, started)


def _listen(port: int, print_line: Callable[[str], None]) -> socket.socket:
    for tried in range(port, min(port + TRIES, 2**16)):
        try:
            listening = socket.create_server(("127.0.0.1", tried))
        except OSError:
            continue
        if tried != port:
            print_line(f"Port {port} is used by {port_owner(port) or 'another program'}: taking {tried}.")
        return listening
    raise LaunchError(
        f"Ports {port} to {tried} are taken, {port} by {port_owner(port) or 'another program'}. "
        "Stop that program, or choose another port: `pipeline app --port …`."
    )
