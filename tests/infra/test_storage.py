"""Runs on an S3 store: one whose machine is lost resumes from its copy, and a store that can't be used is named."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, storage
from tests.infra.conftest import SECRET, bucket
from tests.launch.nodes import SAMPLE, job, nodes

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("boto3", "moto")), reason="needs the packages of infra/requirements.lock"
)
EVERY_S = "trainer.checkpoint_every_s="
TRAINING = [*(word for word in SAMPLE if not word.startswith(EVERY_S)), f"{EVERY_S}1", "trainer.max_epochs=20"]
URI = "s3://box/team/runs"


@pytest.mark.slow
def test_a_run_whose_head_driver_and_folder_are_lost_resumes_from_s3_with_the_same_weights(
    project: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = bucket(s3, "box")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)

    def copied() -> int:
        """The number of checkpoints that the store has."""
        return sum("/checkpoints/" in each.key and each.key.endswith("manifest.json") for each in box.objects.all())

    with job(project, "train", *TRAINING, "--storage", "s3://box/other") as undisturbed:  # of forked workers
        assert undisturbed.end() == 0, undisturbed.output()
        expected = weights(undisturbed.run_dir)
        other = copied()
        assert undisturbed.run_dir
        assert other == len([*undisturbed.run_dir.glob("checkpoints/step-*")])
    with nodes(2) as first:
        words = ["cluster=ray", f"cluster.address={first.address}", "cluster.workers=2", "--storage", URI]
        with job(project, "train", *TRAINING, *words) as running:
            running.until(lambda events: copied() > other)
            first.kill_head()
            running.process.kill()
            running.process.wait()
            assert running.run_dir
            name, step = running.run_dir.name, max(event["step"] for event in running.events())
    (project / "runs").rename(project / "lost")  # with MLflow's data base; workers of the lost cluster may still write
    assert 0 < step < 400
    with (
        nodes(2) as second,
        job(project, "resume", name, "--storage", URI, RAY_ADDRESS=second.address) as again,
    ):
        assert again.end() == 0, again.output()
        assert f"fetched     {name} from {URI}" in again.output()
        began = [event["step"] for event in again.events() if "workers" in event]
        assert len(began) == 2
        assert began[0] == 0 < began[1] <= step
        assert weights(again.run_dir) == expected
        assert again.record()["run_id"]
    keys = {each.key.removeprefix(f"team/runs/{name}/") for each in box.objects.filter(Prefix="team/")}
    assert {"run.json", "events.jsonl", "config.json", "model/model.safetensors", "log.txt"} <= keys
    assert not [key for key in keys if key.startswith(("ray/", "."))]
    # "checkpoints/" marks a folder: pyarrow writes it when it removes one that is in it.
    folders = {key.split("/")[1] for key in keys - {"checkpoints/"} if key.startswith("checkpoints/")}
    assert folders == {path.name for path in (project / "runs" / name / "checkpoints").iterdir()}


def weights(run_dir: Path | None) -> str:
    assert run_dir
    return checkpoints.weights_digest(checkpoints.verify(run_dir / "model"))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment, for stores that are not asked for."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@contextmanager
def refusing() -> Iterator[str]:
    """The address of a store that refuses all credentials."""

    class Refuse(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a store that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def absent() -> Iterator[str]:
    """An address where nothing listens."""
    yield "http://127.0.0.1:1"


def refused(project: Path) -> str:
    """The one line with which a training with a storage ends; it has left nothing."""
    began = time.monotonic()
    words = [sys.executable, "-m", "pipeline", "train", "data=mnist-5k", "--storage", URI]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=project)
    assert time.monotonic() - began < 15
    assert done.returncode == 2, done.stderr
    assert not (project / "runs").exists()
    (line,) = done.stderr.splitlines()
    assert SECRET not in line
    return line


def test_a_missing_bucket_is_named(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    with pytest.raises(LaunchError, match=r"--storage s3://new/runs: can't be used \(there is no new: create it\)"):
        storage.connect("s3://new/runs")
    bucket(s3, "new")
    assert storage.connect("s3://new/runs").names() == []


@pytest.mark.slow
@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("store", "named"), [(refusing, "ACCESS_DENIED"), (absent, "Could not connect"), (silent, "Timeout was reached")]
)
def test_a_store_that_refuses_or_does_not_answer_is_named_within_fifteen_seconds(
    store: Callable[[], AbstractContextManager[str]], named: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        line = refused(project)
    assert named in line
    assert "AWS_SECRET_ACCESS_KEY" in line
