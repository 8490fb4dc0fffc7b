"""MLflow's own server and pages."""

import os
import sys
from pathlib import Path

from pipeline.tracking.address import resolve_uri


def server_command(uri: str, root: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command and environment of MLflow's user interface on loopback, with one worker and no job execution."""
    hosts = f"localhost:{port},127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", resolve_uri(uri, root), "--allowed-hosts", hosts]
    return command, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
