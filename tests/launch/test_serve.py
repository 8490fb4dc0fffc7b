"""A served model from start to end: requests, a second server on its port, and no process left behind."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest
from PIL import Image

from pipeline.actions.predict import predict
from pipeline.actions.train import train
from tests.conftest import TINY, Quiet, striped_digits

START_S = 400


def ask(address: str, body: dict[str, Any] | None = None) -> Any:
    content = json.dumps(body).encode() if body else None
    with urlopen(Request(address, content, {"content-type": "application/json"}), timeout=120) as reply:
        return json.load(reply)


@pytest.mark.slow
def test_a_served_model_predicts_many_at_once_as_predict_does_and_leaves_no_process(tiny_mnist: Path) -> None:
    run = train(["data=mnist", *TINY], Quiet(), root=tiny_mnist)["name"]
    images, _ = striped_digits(12, seed=1)
    files = [tiny_mnist / f"{number}.png" for number in range(12)]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    expected = [one["label"] for one in predict(run, [str(file) for file in files], root=tiny_mnist)]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "serve", run, "--port", str(port), "--replicas", "2"]
    patient = {**os.environ, "RAY_raylet_start_wait_time_s": str(START_S)}
    with subprocess.Popen(command, cwd=tiny_mnist, env=patient, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        started = psutil.Process(server.pid)
        try:
            lines = [server.stdout.readline()]
            while lines[-1] and "OpenAPI" not in lines[-1]:
                lines.append(server.stdout.readline())
            address = f"http://127.0.0.1:{port}"
            assert any(f"POST {address}/predict" in line for line in lines)
            model = ask(f"{address}/health")["model"]
            assert model in lines[0]
            one_each = [{"images": [base64.b64encode(file.read_bytes()).decode()]} for file in files]
            with ThreadPoolExecutor(12) as pool:
                replies = list(pool.map(lambda body: ask(f"{address}/predict", body), one_each))
            assert [reply["answers"][0]["label"] for reply in replies] == expected
            assert {reply["model"] for reply in replies} == {model}
            assert ask(f"{address}/openapi.json")["info"]["title"] == model
            _loopback_only(port)
            again = subprocess.run(command, cwd=tiny_mnist, capture_output=True, text=True, check=False)
            assert again.returncode == 2
            assert f"error: Port {port} is used by pid" in again.stderr
        finally:
            processes = started.children(recursive=True)
            server.send_signal(signal.SIGINT)
        assert server.wait(120) == 130
        assert server.stdout.read() == ""  # Ray's own reports of the shutdown are not the user's
    assert processes
    ends = time.monotonic() + 60
    while (left := [one for one in processes if one.is_running()]) and time.monotonic() < ends:
        time.sleep(1)
    assert not left


def _loopback_only(port: int) -> None:
    sockets: Any = psutil.net_connections("tcp")
    assert {one.laddr.ip for one in sockets if one.status == "LISTEN" and one.laddr.port == port} == {"127.0.0.1"}
