"""A served model from start to end: requests, a second server on its port, and no process left behind."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest
import torch
from fastapi import HTTPException
from PIL import Image
from ray.exceptions import ActorDiedError
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.actions.predict import predict
from pipeline.actions.train import train
from pipeline.launch import serve
from pipeline.types import Prediction, RawInput
from tests.conftest import TINY, Quiet, striped_digits
from tests.launch.nodes import actors

START_S = 400
KILLS, REQUESTS = 10, 2000


def ask(address: str, body: dict[str, Any] | None = None) -> Any:
    content = json.dumps(body).encode() if body else None
    with urlopen(Request(address, content, {"content-type": "application/json"}), timeout=120) as reply:
        return json.load(reply)


def test_a_request_whose_replicas_die_goes_to_another_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PAUSE_S", 0.0)
    tried: list[list[RawInput]] = []

    async def dies_twice(inputs: list[RawInput]) -> list[Prediction]:
        tried.append(inputs)
        if len(tried) < 3:
            raise ActorDiedError
        return [{"label": str(number)} for number in inputs]

    assert asyncio.run(serve.retrying(dies_twice)([3, 1])) == [{"label": "3"}, {"label": "1"}]
    assert tried == [[3, 1]] * 3

    async def always_dies(inputs: list[RawInput]) -> list[Prediction]:
        raise ActorDiedError

    with pytest.raises(HTTPException) as error:
        asyncio.run(serve.retrying(always_dies)([1]))
    assert error.value.status_code == 503


def test_a_replica_computes_on_one_thread_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serve, "load", lambda folder: None)
    with threadpool_limits(2):
        serve.Replica("model", str(tmp_path))
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert torch.get_num_threads() == 1


def test_requests_that_wait_are_sent_together_and_each_gets_its_own_predictions() -> None:
    batches: list[list[RawInput]] = []

    async def echo(inputs: list[RawInput]) -> list[Prediction]:
        batches.append(inputs)
        await asyncio.sleep(0)
        if "bad" in inputs:
            raise ValueError(inputs)
        return [{"label": str(one)} for one in inputs]

    async def ask(*requests: list[RawInput]) -> list[Any]:
        predict = serve.Batches(echo, in_work=1).predict
        return await asyncio.gather(*map(predict, requests), return_exceptions=True)

    many: list[list[RawInput]] = [[1], [2, 3], [], [4] * 60, [5] * 4, [6]]
    assert asyncio.run(ask(*many)) == [[{"label": str(one)} for one in request] for request in many]
    assert batches == [[1], [2, 3] + [4] * 60, [5] * 4 + [6]]
    first, second, third = asyncio.run(ask([1], ["bad"], [2]))
    assert first == [{"label": "1"}]
    assert isinstance(second, ValueError)
    assert isinstance(third, ValueError)  # of the same batch


def test_a_full_queue_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "QUEUED", 2)

    async def slow(inputs: list[RawInput]) -> list[Prediction]:
        await asyncio.sleep(0.01)
        return [{} for _ in inputs]

    async def ask() -> list[Any]:
        predict = serve.Batches(slow, in_work=1).predict
        return await asyncio.gather(*(predict([number]) for number in range(4)), return_exceptions=True)

    *answered, refused = asyncio.run(ask())
    assert answered == [[{}]] * 3  # one in work, two that wait
    assert isinstance(refused, HTTPException)
    assert refused.status_code == 503


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
            _killed_replicas_lose_no_request(server.pid, f"{address}/predict", one_each, expected)
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


def _killed_replicas_lose_no_request(
    server: int, address: str, one_each: list[dict[str, Any]], expected: list[str]
) -> None:
    """Ten kills while 2,000 requests are made: each gets its own prediction."""
    done = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not done.is_set() and len(killed) < KILLS:
            if len(replicas := actors("ServeReplica:default:model", server)) == 2:
                replicas[0].kill()
                killed.append(replicas[0].pid)
            done.wait(0.2)

    killer = threading.Thread(target=kill)
    killer.start()
    count = 0
    with ThreadPoolExecutor(8) as pool:
        while count < REQUESTS or (len(killed) < KILLS and count < 20 * REQUESTS):
            replies = list(pool.map(lambda body: ask(address, body), one_each))
            assert [reply["answers"][0]["label"] for reply in replies] == expected
            count += len(replies)
    done.set()
    killer.join()
    assert len(killed) == KILLS


def _loopback_only(port: int) -> None:
    sockets: Any = psutil.net_connections("tcp")
    assert {one.laddr.ip for one in sockets if one.status == "LISTEN" and one.laddr.port == port} == {"127.0.0.1"}
