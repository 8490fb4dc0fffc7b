"""Serve MLflow's pages on loopback."""

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
from pipeline.runs.records import RunRecord
from pipeline.tracking.address import bypass_proxy, is_server
from pipeline.tracking.relocation import relocate
from pipeline.tracking.server import server_command
from pipeline.tracking.view import KEY, save_view

START_S = 90


def serve(
    run: str | None, *, root: Path, uri: str, port: int, browser: bool, print_line: Callable[[str], None]
) -> None:
    """Serve MLflow's pages until interrupted, opened at a run if one is named, else at the newest run's experiment.

    Raises: LaunchError if there is nothing to show, the port is in use, or a moved project lacks its artifacts.
    """
    record = lookup.find(run, root) if run else None
    if is_server(uri):
        raise LaunchError(f"tracking.uri={redact(uri)} is a server already: open that address.")
    if uri.startswith("sqlite:") and not (root / "runs/mlflow.db").is_file():
        raise LaunchError(f"{root / 'runs/mlflow.db'}: no runs are tracked yet. `pipeline train` makes one.")
    if owner := port_owner(port):
        raise LaunchError(f"Port {port} is used by {owner}. Stop it, or use `pipeline ui --port {port + 1}`.")
    bypass_proxy()
    relocate(uri, root)
    command, environment = server_command(uri, root, port)
    server_address = f"http://127.0.0.1:{port}"
    experiment = record.get("experiment_id") if record else _newest_experiment(root)
    with (root / "runs/mlflow-server.log").open("ab") as log:
        # In a new session, so that its worker processes end with it.
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # to the `finally` below
    try:
        _wait(server, port, root)
        if experiment:
            save_view(experiment, server_address)
        address = f"{server_address}/{_page(record, experiment)}"
        print_line(f"MLflow: {address}  (Ctrl-C stops it)")
        if browser:
            webbrowser.open(address)
        server.wait()
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)


def _newest_experiment(root: Path) -> str | None:
    """Return the MLflow experiment of the newest tracked run."""
    return next((each["experiment_id"] for each in lookup.listing(root) if "experiment_id" in each), None)


def _page(record: RunRecord | None, experiment: str | None) -> str:
    """Return the page of a run, else an experiment's table of runs, in the view that shows their scores."""
    if record and "run_id" in record:
        page = f"#/experiments/{record['experiment_id']}/runs/{record['run_id']}?"
    elif experiment:
        page = f"#/experiments/{experiment}/runs?viewStateShareKey={KEY}&"
    else:
        page = "#/experiments?"
    return f"{page}workflowType=machine_learning"  # by default MLflow opens its pages for language models


def _wait(server: "subprocess.Popen[bytes]", port: int, root: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise LaunchError(f"MLflow did not start within {START_S} s. Its log: {root / 'runs/mlflow-server.log'}.")
