"""KubeRay's service: Ray Serve accepts its configuration, and it predicts what `pipeline predict` does."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from PIL import Image
from pydantic import ValidationError
from ray._common.utils import import_attr
from ray.serve.schema import ServeDeploySchema

from pipeline.actions.predict import predict
from pipeline.actions.train import train
from pipeline.launch import service
from tests.conftest import TINY, Quiet, striped_digits
from tests.infra.test_servers import free_port

FILE = Path(__file__).parents[2] / "infra/kuberay/service/own-cluster/rayservice.yaml"
CONFIG = yaml.safe_load(FILE.read_text())["spec"]["serveConfigV2"]
SERVER = """
import json, os, sys, time
from ray import serve
from pipeline.launch import cluster, service
port, settings = int(sys.argv[1]), service.Settings(**json.loads(sys.argv[2]))
cluster.start(2, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(service.build(settings), route_prefix="/")
print("ready", flush=True)
sys.stdin.read()
"""


def test_ray_serve_accepts_the_configuration_and_finds_its_application() -> None:
    [application] = ServeDeploySchema.model_validate(yaml.safe_load(CONFIG)).applications
    assert import_attr(application.import_path) is service.build
    assert service.Settings.model_validate(application.args).model == Path("/work/runs/RUN/model")
    [deployment] = application.deployments
    assert deployment.name == "model"  # of those that `build` makes
    assert deployment.autoscaling_config["max_replicas"] == application.args["replicas"]
    for right, wrong in (("num_replicas: auto", "num_replicas: many"), ("import_path:", "import:")):
        assert right in CONFIG
        with pytest.raises(ValidationError):
            ServeDeploySchema.model_validate(yaml.safe_load(CONFIG.replace(right, wrong)))
    with pytest.raises(ValidationError):
        service.Settings.model_validate({"model": "/work/runs/RUN/model"})


@pytest.mark.slow
def test_the_service_predicts_as_predict_does_and_refuses_other_hosts(tiny_mnist: Path) -> None:
    run = train(["data=mnist", *TINY], Quiet(), root=tiny_mnist)["name"]
    [image], _ = striped_digits(1, seed=1)
    file = tiny_mnist / "0.png"
    Image.fromarray(image).save(file)
    [expected] = predict(run, [str(file)], root=tiny_mnist)
    port = free_port()
    settings = json.dumps(
        {"model": str(tiny_mnist / "runs" / run / "model"), "replicas": 1, "hosts": ["pipeline-serve-svc"]}
    )
    command = [sys.executable, "-c", SERVER, str(port), settings]
    patient = {**os.environ, "RAY_raylet_start_wait_time_s": "400"}
    with subprocess.Popen(command, env=patient, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert any(line == "ready\n" for line in server.stdout)
            reply = ask(port, file, "pipeline-serve-svc")
            assert reply["answers"][0]["label"] == expected["label"]
            with pytest.raises(HTTPError) as refused:
                ask(port, file, "elsewhere.example")
            assert refused.value.code == 400
            refused.value.close()
        finally:
            server.terminate()


def ask(port: int, file: Path, host: str) -> Any:
    body = json.dumps({"images": [base64.b64encode(file.read_bytes()).decode()]}).encode()
    headers = {"content-type": "application/json", "host": f"{host}:{port}"}
    with urlopen(Request(f"http://127.0.0.1:{port}/predict", body, headers), timeout=120) as reply:
        return json.load(reply)
