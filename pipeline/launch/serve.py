"""Serve a stored model over HTTP with Ray Serve on this machine: replicas that predict in batches."""

import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import serve

from pipeline.inference.requests import predict
from pipeline.kinds import load
from pipeline.launch import cluster, http_api
from pipeline.types import Prediction

HOST = "127.0.0.1"
BATCH, WAIT_S = 64, 0.005  # the most inputs of a batch, and how long the first input waits for others
REQUESTS, QUEUED = 64, 256  # in work in a replica; waiting, beyond which requests get status 503


@serve.ingress()
class _Replica:
    """A process with the model: it reads requests, and predicts the inputs of several requests in one batch."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        os.chdir(folder)
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))

    def __serve_build_asgi_app__(self) -> Any:
        return http_api.create(self.predictor, self.predict)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_S)  # type: ignore[untyped-decorator]
    async def predict(self, inputs: list[Any]) -> list[Prediction]:
        return await asyncio.to_thread(predict, self.predictor, inputs)


def run(model_dir: Path, *, port: int, replicas: int, started: Callable[[], None]) -> None:
    """Serve a model at 127.0.0.1:`port` until interrupted; `started()` is called once it accepts requests."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # to the `finally` below
    # On a private cluster: on an existing one the server would listen on the loopback of another machine.
    cluster.start(replicas + 1, log_to_driver=False, logging_level="WARNING")
    try:
        logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of this process; the next line: of Ray's
        logs = {"log_level": "WARNING", "enable_access_log": False}
        serve.start("HeadOnly", {"host": HOST, "port": port}, logging_config=logs)
        deployed = serve.deployment(
            _Replica,
            name="model",
            num_replicas=replicas,
            max_ongoing_requests=REQUESTS,
            max_queued_requests=QUEUED,
        )
        serve.run(deployed.bind(str(model_dir.absolute()), str(Path.cwd())))
        started()
        threading.Event().wait()
    finally:
        # Serve ends its controller in the middle of a call to it, which Ray then reports on stdout as a failure.
        with contextlib.redirect_stdout(io.StringIO()):
            serve.shutdown()
            ray.shutdown()
