"""MLflow's own server and its pages."""

import os
import sys
from pathlib import Path

from pipeline.tracking.address import resolve_uri


def server_command(uri: str, root: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command and environment that serve MLflow's pages on loopback, with one worker and no job execution."""
    hosts = f"localhost:{port},127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--allowed-hosts", hosts]
    settings = {
        "MLFLOW_BACKEND_STORE_URI": resolve_uri(
            uri, root
        ),  # not on the command line, where other users read a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    return command, {**os.environ, **settings}
