"""How fast `pipeline serve` answers: `python -m benchmarks.serving RUN`, where RUN is a model of images.

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

from benchmarks.playground import keep

REPLICAS, AT_ONCE = 1, 32
WARM = 50
kept = local()  # a connection for each thread


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("run", help="a run or a model's folder")
    parser.add_argument("--requests", type=int, default=500)
    asked = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "serve", asked.run, "--port", str(port), "--replicas", str(REPLICAS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            said = [server.stdout.readline()]
            while said[-1] and "OpenAPI" not in said[-1]:
                said.append(server.stdout.readline())
            model = said[0].split()[1].rstrip(",")
            measured = {"alone": latency(port, asked.requests, 1), "at once": latency(port, asked.requests, AT_ONCE)}
        finally:
            server.send_signal(signal.SIGINT)
    for name, told in measured.items():
        print(f"{name:8} p50 {told['p50_ms']} ms, p95 {told['p95_ms']} ms, {told['per_s']} requests/s")
    keep("serving", {"model": model, "replicas": REPLICAS, "at_once": AT_ONCE, "measured": measured})


def latency(port: int, requests: int, at_once: int) -> dict[str, float]:
    """Milliseconds of each request and requests a second, from so many clients at once."""
    bodies = [body(seed) for seed in range(16)]
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda number: ask(port, bodies[number % 16]), range(WARM)))
        started = time.perf_counter()
        took = list(pool.map(lambda number: ask(port, bodies[number % 16]), range(requests)))
        passed = time.perf_counter() - started
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2), "per_s": round(requests / passed, 1)}


def ask(port: int, content: bytes) -> float:
    """Milliseconds until the answer was read."""
    connection: Any = getattr(kept, "connection", None)
    if connection is None:
        connection = kept.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.request("POST", "/predict", content, {"content-type": "application/json"})
    reply = connection.getresponse()
    told = reply.read()
    assert reply.status == 200, told
    return (time.perf_counter() - started) * 1000


def body(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)).save(file, "PNG")
    return json.dumps({"images": [base64.b64encode(file.getvalue()).decode()]}).encode()


if __name__ == "__main__":
    main()
