"""Latency and throughput of `pipeline serve`: `python -m benchmarks.serving RUN`, where RUN is an image classifier.

Requests of one PNG each, over HTTP on this machine: one after the other (latency), then many at once (throughput). The
client shares the machine with the server. Writes benchmarks/results/serving.json.
"""

import argparse
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

from benchmarks.playground import save

REPLICAS, AT_ONCE = 1, 32
WARM = 50
connections = local()  # a connection for each thread


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("run", help="a run or a model's folder")
    parser.add_argument("--requests", type=int, default=500)
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "serve",
        arguments.run,
        "--port",
        str(port),
        "--replicas",
        str(REPLICAS),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            lines = [server.stdout.readline()]
            while lines[-1] and "OpenAPI" not in lines[-1]:
                lines.append(server.stdout.readline())
            model = lines[0].split()[1].rstrip(",")
            measured = {
                "alone": latency(port, arguments.requests, 1),
                "at once": latency(port, arguments.requests, AT_ONCE),
            }
        finally:
            server.send_signal(signal.SIGINT)
    for name, figures in measured.items():
        print(f"{name:8} p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms, {figures['per_s']} requests/s")
    save("serving", {"model": model, "replicas": REPLICAS, "at_once": AT_ONCE, "measured": measured})


def latency(port: int, requests: int, at_once: int) -> dict[str, float]:
    """Milliseconds a request and requests a second, from `at_once` clients in parallel."""
    bodies = [body(seed) for seed in range(16)]
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda number: request(port, bodies[number % 16]), range(WARM)))
        started = time.perf_counter()
        took = list(pool.map(lambda number: request(port, bodies[number % 16]), range(requests)))
        passed = time.perf_counter() - started
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2), "per_s": round(requests / passed, 1)}


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
    main()
