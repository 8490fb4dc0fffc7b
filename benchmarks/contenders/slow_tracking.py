"""`steady` with an MLflow server that responds a second later.

`python -m benchmarks.contenders.slow_tracking SECONDS OVERRIDE…`, in the folder of a project.
"""

import http.client
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.contenders import steady
from pipeline.tracking.server import server_command

DELAY_S, START_S = 1.0, 300


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _slow(upstream: int) -> ThreadingHTTPServer:
    """A server on loopback that forwards each request after a second."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(DELAY_S)
            connection = http.client.HTTPConnection("127.0.0.1", upstream)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def _wait(port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("MLflow's server did not start")


def main(seconds: float, *overrides: str) -> None:
    port = _free_port()
    command, env = server_command("sqlite:///runs/mlflow.db", Path.cwd(), port)
    with Path("mlflow.log").open("w") as log:
        mlflow = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        _wait(port)
        slow = _slow(port)
        steady.main(seconds, *overrides, f"tracking.uri=http://127.0.0.1:{slow.server_address[1]}")
    finally:
        mlflow.terminate()
        mlflow.wait()


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
