"""A stored model as an application of Ray Serve, for clusters that start their own (KubeRay's RayService).

`pipeline serve` is the same on one machine, with a server of its own that retries what a dying replica had.
"""

from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from pipeline.kinds import load
from pipeline.launch import http_api
from pipeline.launch.serve import IN_WORK, ONGOING, Batches, Replica, retrying
from pipeline.types import Prediction, RawInput


class Settings(BaseModel):
    """The arguments of the application in a Serve configuration."""

    model: Path  # the folder of a stored model, which every node sees
    replicas: int  # the most that Serve starts
    hosts: list[str]  # names by which requests may address the service


def build(args: Settings) -> Application:
    """The application: the deployment `api` reads requests, the deployment `model` predicts them in batches.

    Each asks for a part of a CPU, so that none is placed on a head without CPUs, and all answer while it is away.
    """
    model = serve.deployment(Replica, name="model", max_ongoing_requests=ONGOING, health_check_period_s=1)
    model = model.options(ray_actor_options={"num_cpus": 0.9})
    api = serve.deployment(serve.ingress()(_Api), name="api", ray_actor_options={"num_cpus": 0.1})
    return api.bind(model.bind(str(args.model), "/"), args)


class _Api:
    """The HTTP API, in front of the replicas of the model."""

    def __init__(self, model: DeploymentHandle, settings: Settings):
        self.model, self.settings = model, settings

    def __serve_build_asgi_app__(self) -> FastAPI:
        async def predict_many(inputs: list[RawInput]) -> list[Prediction]:
            predictions: list[Prediction] = await self.model.predict_many.remote(inputs)
            return predictions

        batches = Batches(retrying(predict_many), IN_WORK * self.settings.replicas)
        return http_api.create(load(self.settings.model), batches.predict, self.settings.hosts)
