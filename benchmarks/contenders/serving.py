"""Latency and throughput of `pipeline serve`: `python -m benchmarks.contenders.serving RUN`, an image classifier.

Requests of one PNG each, over HTTP on this machine: one after the other (latency), then many at once (throughput). The
client shares the machine with the server.
"""

import base64
import http.client
import io
import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.contenders.common import report

CLIENTS, WARM, REQUESTS = 32, 50, 1000
connections = local()  # a connection for each thread


def main(run: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "serve", run, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            while (line := server.stdout.readline()) and "OpenAPI" not in line:
                pass
            alone, _ = measure(port, REQUESTS, 1)
            at_once, per_s = measure(port, 4 * REQUESTS, CLIENTS)
        finally:
            server.send_signal(signal.SIGINT)
    report(p50_ms=alone[49], p95_ms=alone[94], per_s=per_s, p50_ms_at_once=at_once[49])


def measure(port: int, requests: int, clients: int) -> tuple[list[float], float]:
    """The percentiles of milliseconds a request, and requests a second, from clients in parallel."""
    bodies = [body(seed) for seed in range(16)]
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda number: request(port, bodies[number % 16]), range(WARM)))
        started = time.perf_counter()
        took = list(pool.map(lambda number: request(port, bodies[number % 16]), range(requests)))
        passed = time.perf_counter() - started
    return statistics.quantiles(took, n=100), requests / passed


def request(port: int, body: bytes) -> float:
    """Milliseconds until the response was read."""
    connection: Any = getattr(connections, "connection", None)
    if connection is None:
        connection = connections.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.request("POST", "/predict", body, {"content-type": "application/json"})
    reply = connection.getresponse()
    content = reply.read()
    assert reply.status == 200, content
    return (time.perf_counter() - started) * 1000


def body(seed: int) -> bytes:
    """A request of one random PNG."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)).save(file, "PNG")
    return json.dumps({"images": [base64.b64encode(file.getvalue()).decode()]}).encode()


if __name__ == "__main__":
    main(sys.argv[1])
