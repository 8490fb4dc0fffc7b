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
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import islice
from pathlib import Path
from typing import Any

import ray
import uvicorn
from fastapi import HTTPException
from ray import serve
from ray.exceptions import RayActorError
from threadpoolctl import threadpool_limits

from pipeline.inference.requests import predict
from pipeline.kinds import load
from pipeline.launch import cluster, http_api
from pipeline.types import Prediction, RawInput

HOST = "127.0.0.1"
BATCH = 64  # the most inputs of a batch
IN_WORK = 2  # batches of a replica: it predicts one while the other travels
# Ray Serve's own limit of calls in a replica, far above IN_WORK: near its limit it asks a replica before each call.
ONGOING = 64
QUEUED = 256  # requests that wait, beyond which others get status 503
TRIES, PAUSE_S = 8, 0.05  # of a batch whose replicas die; the pause doubles with each

PredictMany = Callable[[list[RawInput]], Coroutine[Any, Any, list[Prediction]]]


class Replica:
    """A process with the model."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        os.chdir(folder)
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))
        threadpool_limits(1)  # numpy's threads spin while they wait, on cores that the server and its clients need

    def predict_many(self, inputs: list[RawInput]) -> list[Prediction]:
        """The predictions for the inputs of a batch."""
        return predict(self.predictor, inputs)


class Batches:
    """Sends requests that wait to the replicas in one batch, because a batch costs Ray about as much as a request.

    A request that finds a replica free is sent at once; while all are busy, the next batch gathers.
    """

    def __init__(self, predict_many: PredictMany, in_work: int):
        self.predict_many, self.free = predict_many, in_work
        self.waiting: deque[tuple[list[RawInput], asyncio.Future[list[Prediction]]]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()  # the event loop itself holds weak references only

    async def predict(self, inputs: list[RawInput]) -> list[Prediction]:
        """The predictions for one request's inputs.

        Raises: HTTPException 503 if too many requests wait.
        """
        if len(self.waiting) >= QUEUED:
            raise HTTPException(503, f"{QUEUED} requests wait: try again later")
        future: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()
        self.waiting.append((inputs, future))
        self._send()
        return await future

    def _send(self) -> None:
        while self.free and self.waiting:
            batch = [self.waiting.popleft()]
            count = len(batch[0][0])
            while self.waiting and (count := count + len(self.waiting[0][0])) <= BATCH:
                batch.append(self.waiting.popleft())
            self.free -= 1
            task = asyncio.create_task(self._work(batch))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _work(self, batch: list[tuple[list[RawInput], asyncio.Future[list[Prediction]]]]) -> None:
        """Predict a batch; set the result or the exception of each request that is not cancelled."""
        try:
            predictions = iter(await self.predict_many([one for inputs, _ in batch for one in inputs]))
            for inputs, future in batch:
                own = list(islice(predictions, len(inputs)))
                if not future.done():
                    future.set_result(own)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        self.free += 1
        self._send()


def retrying(predict_many: PredictMany) -> PredictMany:
    """`predict_many`, repeated where the replica that had a batch died: predictions have no other effect.

    Raises: HTTPException 503 if replicas keep dying.
    """

    async def ask(inputs: list[RawInput]) -> list[Prediction]:
        for number in range(TRIES):
            try:
                return await predict_many(inputs)
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
            max_ongoing_requests=ONGOING,
            health_check_period_s=1,  # a dead replica is replaced as soon
        )
        handle = serve.run(deployed.bind(str(model_dir.absolute()), str(Path.cwd())), route_prefix=None)

        async def predict_many(inputs: list[RawInput]) -> list[Prediction]:
            predictions: list[Prediction] = await handle.predict_many.remote(inputs)
            return predictions

        batches = Batches(retrying(predict_many), IN_WORK * replicas)
        app = http_api.create(load(model_dir), batches.predict)
        config = uvicorn.Config(
            app, host=HOST, port=port, log_level="warning", server_header=False, timeout_graceful_shutdown=5
        )
        _Server(config, started).run()
    finally:
        # Serve ends its controller in the middle of a call to it, which Ray then reports on stdout as a failure.
        with contextlib.redirect_stdout(io.StringIO()):
            serve.shutdown()
            ray.shutdown()
