"""Serve a stored model over HTTP on this machine: this process reads requests, Ray Serve's replicas predict in batches.

A replica that dies loses no request: what it has not answered goes to another replica.
"""

import asyncio
import contextlib
import io
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import ray
import uvicorn
from fastapi import HTTPException
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError

from pipeline.inference.requests import predict
from pipeline.kinds import load
from pipeline.launch import cluster, http_api
from pipeline.types import Prediction, RawInput

HOST = "127.0.0.1"
BATCH, WAIT_S = 64, 0.005  # the most inputs of a batch, and how long the first input waits for others
REQUESTS, QUEUED = 64, 256  # in work in a replica; waiting, beyond which requests get status 503
TRIES, PAUSE_S = 8, 0.05  # of a request whose replicas die; the pause doubles with each

PredictMany = Callable[[list[RawInput]], Coroutine[Any, Any, list[Prediction]]]


class Replica:
    """A process with the model, which predicts the inputs of several requests in one batch."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        os.chdir(folder)
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))

    async def predict_many(self, inputs: list[RawInput]) -> list[Prediction]:
        """The predictions for one request's inputs."""
        return list(await asyncio.gather(*map(self.predict, inputs)))

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_S)  # type: ignore[untyped-decorator]
    async def predict(self, inputs: list[RawInput]) -> list[Prediction]:
        """The predictions for the inputs of a batch; Serve collects them from calls with one input each."""
        return await asyncio.to_thread(predict, self.predictor, inputs)


def retrying(predict_many: PredictMany) -> PredictMany:
    """`predict_many`, repeated where the replica that had a request died: predictions have no other effect.

    Raises: HTTPException 503 if too many requests wait, or replicas keep dying.
    """

    async def ask(inputs: list[RawInput]) -> list[Prediction]:
        for number in range(TRIES):
            try:
                return await predict_many(inputs)
            except BackPressureError as error:
                raise HTTPException(503, f"more than {QUEUED} requests wait: try again later") from error
            except RayActorError:
                await asyncio.sleep(PAUSE_S * 2**number)
        raise HTTPException(503, f"{TRIES} replicas died with this request")

    return ask


class _Server(uvicorn.Server):
    """Calls `started` once it accepts requests."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]):
        super().__init__(config)
        self.on_start = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_start()


def run(model_dir: Path, *, port: int, replicas: int, started: Callable[[], None]) -> None:
    """Serve a model at 127.0.0.1:`port` until interrupted; `started()` is called once it accepts requests."""
    output = sys.stdout

    def announce() -> None:
        with contextlib.redirect_stdout(output):
            started()

    with contextlib.redirect_stdout(sys.stderr):  # where Ray reports replicas that died
        _run(model_dir, port, replicas, announce)


def _run(model_dir: Path, port: int, replicas: int, started: Callable[[], None]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # to the `finally` below
    # On a private cluster: on an existing one the server would listen on the loopback of another machine.
    cluster.start(replicas + 1, log_to_driver=False, logging_level="WARNING")
    try:
        logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of this process; the next line: of Ray's
        logs = {"log_level": "WARNING", "enable_access_log": False}
        serve.start("NoServer", logging_config=logs)
        deployed = serve.deployment(
            Replica,
            name="model",
            num_replicas=replicas,
            max_ongoing_requests=REQUESTS,
            max_queued_requests=QUEUED,
            health_check_period_s=1,  # a dead replica is replaced as soon
        )
        handle = serve.run(deployed.bind(str(model_dir.absolute()), str(Path.cwd())), route_prefix=None)

        async def predict_many(inputs: list[RawInput]) -> list[Prediction]:
            predictions: list[Prediction] = await handle.predict_many.remote(inputs)
            return predictions

        app = http_api.create(load(model_dir), retrying(predict_many))
        config = uvicorn.Config(
            app, host=HOST, port=port, log_level="warning", server_header=False, timeout_graceful_shutdown=5
        )
        _Server(config, started).run()
    finally:
        # Serve ends its controller in the middle of a call to it, which Ray then reports on stdout as a failure.
        with contextlib.redirect_stdout(io.StringIO()):
            serve.shutdown()
            ray.shutdown()
