"""Every file of infra/ and .github/ satisfies its tool's own checker, and each checker finds a mistake."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.launch.cluster import HEALTH

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).with_name("kuberay.schema.json")
DEPLOYMENTS = [f"{kind}/{name}" for kind in ("overlays", "jobs") for name in ("dev", "gpu", "spot")]
# The file, a mistake (what is written, what stands there instead), the checker's command.
CHECKS: dict[str, tuple[str, str, str, list[str]]] = {
    "hadolint": ("infra/Dockerfile", "WORKDIR /work", "WORKDIR work", ["hadolint"]),
    "compose schema": (
        "infra/compose.yaml",
        "healthcheck:",
        "healthchek:",
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
    ),
    "compose-lint": ("infra/compose.yaml", "security_opt:", "privileged: true\n  security_opt:", ["compose-lint"]),
    "zizmor": (".github/workflows/ci.yml", "@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "@v6", ["zizmor", "--offline"]),
    "actionlint": (".github/workflows/ci.yml", "runs-on:", "run-on:", ["actionlint"]),
    "zizmor, nightly": (
        ".github/workflows/slow.yml",
        "@a309ff8b426b58ec0e2a45f0f869d46889d02405",
        "@v6",
        ["zizmor", "--offline"],
    ),
    "actionlint, nightly": (".github/workflows/slow.yml", "runs-on:", "run-on:", ["actionlint"]),
    "shellcheck": ("infra/slurm/train.sbatch", 'exit "$code"', "exit $code $undefined", ["shellcheck"]),
}


def program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip(f"{name} is not installed: pip install --constraint infra/requirements.lock -e '.[infra]'")
    return found


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program(str(words[0])), *map(str, words[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("checker", CHECKS)
def test_a_checker_accepts_the_file_and_refuses_a_mistake_in_it(checker: str, tmp_path: Path) -> None:
    file, right, wrong, command = CHECKS[checker]
    good = run(*command, ROOT / file)
    assert good.returncode == 0, good.stdout + good.stderr
    text = (ROOT / file).read_text()
    assert right in text
    broken = tmp_path / file
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace(right, wrong, 1))
    assert run(*command, broken).returncode != 0


def rendered(folder: Path) -> list[dict[str, Any]]:
    done = run("kubectl", "kustomize", folder)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def problems(document: dict[str, Any], folder: Path) -> str:
    """What KubeRay's and Kubernetes' schemas have against an object; its pod templates are checked as pods."""
    validate = pytest.importorskip("kubernetes_validate", reason="needs infra/requirements.lock")
    core = [document]
    found = ""
    if document["apiVersion"] == "ray.io/v1":
        (folder / "object.json").write_text(json.dumps(document))
        done = run("check-jsonschema", "--schemafile", SCHEMA, folder / "object.json")
        found = done.stdout if done.returncode else ""
        spec = document["spec"].get("rayClusterSpec", document["spec"])
        groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
        core = [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
            for group in groups
        ]
    for item in core:
        try:
            validate.validate(item, validate.latest_version(), strict=True)
        except validate.ValidationError as error:
            found += str(error)
    return found


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_deployment_is_what_kubernetes_and_kuberay_expect(deployment: str, tmp_path: Path) -> None:
    documents = rendered(ROOT / "infra/kuberay" / deployment)
    kinds = {document["kind"] for document in documents}
    ray = "RayJob" if deployment.startswith("jobs/") else "RayCluster"
    assert kinds == {"ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "PodDisruptionBudget", ray}
    assert not [found for document in documents if (found := problems(document, tmp_path))]


def test_the_head_has_the_health_settings_of_the_documents_and_is_not_evicted() -> None:
    found = {document["kind"]: document for document in rendered(ROOT / "infra/kuberay/overlays/dev")}
    health = {name: value for name, value in HEALTH.items() if name.startswith("RAY_health_check")}
    assert health.items() <= found["ConfigMap"]["data"].items()
    assert found["ConfigMap"]["data"]["RAY_USAGE_STATS_ENABLED"] == "0"
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 0
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == {"ray.io/node-type": "head"}


@pytest.mark.parametrize(
    "mistake", [("maxUnavailable", "maxUnavailible"), ("selector: {matchLabels", "selector: {matchLabel")]
)
def test_a_mistake_in_the_heads_protection_is_found(mistake: tuple[str, str], tmp_path: Path) -> None:
    text = (ROOT / "infra/kuberay/base/disruption.yaml").read_text()
    assert mistake[0] in text
    assert problems(yaml.safe_load(text), tmp_path) == ""
    assert problems(yaml.safe_load(text.replace(*mistake)), tmp_path)


@pytest.mark.parametrize(
    "mistake", [("maxReplicas", "maxReplica"), ("mountPath", "mountpath"), ("mode: token", "mode: disabled")]
)
def test_a_mistake_in_a_cluster_is_found(mistake: tuple[str, str], tmp_path: Path) -> None:
    text = (ROOT / "infra/kuberay/base/raycluster.yaml").read_text()
    assert mistake[0] in text
    assert problems(yaml.safe_load(text.replace(*mistake)), tmp_path)


def test_a_job_brings_the_cluster_of_its_overlay() -> None:
    cluster = next(d for d in rendered(ROOT / "infra/kuberay/overlays/gpu") if d["kind"] == "RayCluster")
    job = next(d for d in rendered(ROOT / "infra/kuberay/jobs/gpu") if d["kind"] == "RayJob")
    assert job["spec"]["rayClusterSpec"] == cluster["spec"]
    limits = cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == 1


def test_a_job_has_the_name_the_training_and_the_volume_of_its_parameters(tmp_path: Path) -> None:
    jobs = ROOT / "infra/kuberay/jobs/spot"
    text = (jobs / "parameters.yaml").read_text()
    for key, value in (("name", "lstm-7"), ("training", "experiment=imdb_lstm seed=7"), ("volume", "shared")):
        text, count = re.subn(rf"(?m)^  {key}: .*$", f"  {key}: {value}", text)
        assert count == 1 + (key == "name")  # that of the ConfigMap itself, which is put back
    (tmp_path / "parameters.yaml").write_text(text.replace("lstm-7", "job-parameters", 1))
    kustomization = (
        (jobs / "kustomization.yaml").read_text().replace("../..", os.path.relpath(jobs.parents[1], tmp_path))
    )
    (tmp_path / "kustomization.yaml").write_text(kustomization)
    found = {document["kind"]: document for document in rendered(tmp_path)}
    assert found["RayJob"]["metadata"]["name"] == "lstm-7"
    words = shlex.split(found["RayJob"]["spec"]["entrypoint"])
    assert words[4:] == [
        *["pipeline", "train", "--run-name", "lstm-7", "experiment=imdb_lstm", "seed=7", "cluster=ray"],
        "tracking.uri=$MLFLOW_TRACKING_URI",
    ]
    (volume,) = found["RayJob"]["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "shared"
    assert found["PersistentVolumeClaim"]["metadata"]["name"] == "shared"


def accepted(text: str) -> bool:
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    try:
        validate_config(prepare_config(yaml.safe_load(text)))
    except ValidationError:
        return False
    return True


@pytest.mark.skipif(find_spec("jsonschema") is None, reason="Ray checks these files with jsonschema: ray[default]")
@pytest.mark.parametrize("cloud", ["aws", "gcp", "onprem"])
def test_rays_own_check_accepts_a_cluster_file_and_refuses_a_mistake_in_it(cloud: str) -> None:
    text = (ROOT / f"infra/autoscaler/{cloud}.yaml").read_text()
    assert accepted(text)
    assert not accepted(text.replace("head_start_ray_commands:", "head_start_commands:"))
    assert "RAY_AUTH_MODE=token" in text


def test_the_image_is_made_of_files_that_exist_and_that_its_ignore_file_lets_in() -> None:
    lines = (ROOT / "infra/Dockerfile").read_text().splitlines()
    admitted = {
        f"{line[1:]}" for line in (ROOT / "infra/Dockerfile.dockerignore").read_text().split() if line[0] == "!"
    }
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert path in admitted


def test_no_file_holds_a_secret() -> None:
    for line in (ROOT / "infra/env.example").read_text().splitlines():
        assert line.startswith("#") or line.endswith("=")
    for service in yaml.safe_load((ROOT / "infra/compose.yaml").read_text())["services"].values():
        for key, value in service.get("environment", {}).items():
            assert not key.endswith(("PASSWORD", "SECRET_ACCESS_KEY", "TOKEN")) or value.startswith("${"), key
