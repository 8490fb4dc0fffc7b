"""MLflow's pages on loopback."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.actions.doctor import port_owner
from pipeline.config.redaction import redact
from pipeline.errors import LaunchError
from pipeline.runs import lookup
from pipeline.tracking.address import is_server
from pipeline.tracking.server import server_command

START_S = 90


def serve(
    run: str | None, *, root: Path, uri: str, port: int, browser: bool, print_line: Callable[[str], None]
) -> None:
    """Serve MLflow until interrupted, opened at a run if one is named.

    Raises: LaunchError if there is nothing to show, or the port is taken.
    """
    record = lookup.find(run, root) if run else None
    if is_server(uri):
        raise LaunchError(f"tracking.uri={redact(uri)} is a server already: open that address.")
    if uri.startswith("sqlite:") and not (root / "runs/mlflow.db").is_file():
        raise LaunchError(f"{root / 'runs/mlflow.db'}: no runs are tracked yet. `pipeline train` makes one.")
    if owner := port_owner(port):
        raise LaunchError(f"Port {port} is used by {owner}. Stop it, or use `pipeline ui --port {port + 1}`.")
    command, environment = server_command(uri, root, port)
    page = "#/experiments"
    if record and "run_id" in record:
        page += f"/{record['experiment_id']}/runs/{record['run_id']}"
    # MLflow opens in its view for language models unless it is told otherwise.
    address = f"http://127.0.0.1:{port}/{page}?workflowType=machine_learning"
    with (root / "runs/mlflow-server.log").open("ab") as log:
        # A session of its own, so that its worker processes end with it.
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # to the `finally` below
    try:
        _wait(server, port, root)
        print_line(f"MLflow: {address}  (Ctrl-C stops it)")
        if browser:
            webbrowser.open(address)
        server.wait()
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)


def _wait(server: "subprocess.Popen[bytes]", port: int, root: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise LaunchError(f"MLflow did not start within {START_S} s. Its words: {root / 'runs/mlflow-server.log'}.")
