"""A stored model behind HTTP, by Ray Serve on this machine: replicas that answer in batches."""

import asyncio
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
BATCH, WAIT_S = 64, 0.005  # how many inputs are answered together, and how long the first waits for others
REQUESTS, QUEUED = 64, 256  # at once in a replica; waiting before others are refused with status 503


@serve.ingress()
class _Replica:
    """One process with the model: it reads requests and answers their inputs, several requests' in a batch."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        os.chdir(folder)
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))

    def __serve_build_asgi_app__(self) -> Any:
        return http_api.create(self.predictor, self.answer)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_S)  # type: ignore[untyped-decorator]
    async def answer(self, inputs: list[Any]) -> list[Prediction]:
        return await asyncio.to_thread(predict, self.predictor, inputs)


def run(model_dir: Path, *, port: int, replicas: int, started: Callable[[], None]) -> None:
    """Serve a model at 127.0.0.1:`port` until interrupted; `started()` is called once requests are answered."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # to the `finally` below
    # Not an existing cluster: a server there would listen on its loopback.
    cluster.start(replicas + 1, log_to_driver=False, logging_level="WARNING")
    try:
        quiet = {"log_level": "WARNING", "enable_access_log": False}
        serve.start("HeadOnly", {"host": HOST, "port": port}, logging_config=quiet)
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
        serve.shutdown()
        ray.shutdown()
