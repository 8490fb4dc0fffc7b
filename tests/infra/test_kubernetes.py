"""Every object of infra/ that Kubernetes is given satisfies its own schema, and each schema finds a mistake."""

import json
import os
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.launch.cluster import HEALTH
from tests.infra.checkers import run

ROOT = Path(__file__).parents[2]
KUBERAY = ROOT / "infra/kuberay"
SCHEMAS = {"ray.io": "kuberay", "kueue.x-k8s.io": "kueue", "monitoring.coreos.com": "prometheus"}  # of API groups
SHARED = {"ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "PodDisruptionBudget"}
JOBS = ("dev", "gpu", "spot", "queued")
KINDS = {  # of each folder that is given to kubectl
    **{f"kuberay/overlays/{name}": {*SHARED, "RayCluster"} for name in ("dev", "gpu", "spot")},
    **{f"kuberay/jobs/{name}": {*SHARED, "RayJob"} for name in JOBS},
    "kuberay/service": {*SHARED, "RayService", "Service", "StatefulSet"},
    "kuberay/queues": {"ResourceFlavor", "ClusterQueue", "LocalQueue", "WorkloadPriorityClass"},
    "kuberay/monitoring": {"ConfigMap", "PodMonitor"},
    "mlflow": {"ConfigMap", "Service", "StatefulSet", "Deployment", "CronJob", "NetworkPolicy"},
    "mirror": {"PersistentVolumeClaim", "Service", "Deployment", "NetworkPolicy"},
}
Object = dict[str, Any]  # of Kubernetes, as YAML


@cache
def rendered(folder: Path) -> list[Object]:
    """The objects of a folder, as `kubectl apply -k` sends them."""
    done = run("kubectl", "kustomize", folder)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def by_kind(folder: Path) -> dict[str, Object]:
    return {document["kind"]: document for document in rendered(folder)}


def cluster_of(document: Object) -> Object:
    """The specification of the Ray cluster that an object of KubeRay's starts."""
    spec: Object = document["spec"]
    cluster: Object = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    return cluster


def pods_of(document: Object) -> list[Object]:
    """The specifications of a Ray cluster's pods, the head's first."""
    cluster = cluster_of(document)
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def problems(document: Object) -> list[str]:
    """Complaints of an object's schema; the pod templates of Ray clusters are checked as pods."""
    import jsonschema

    validate = pytest.importorskip("kubernetes_validate", reason="needs infra/requirements.lock")
    core, found = [document], []
    if schema := SCHEMAS.get(document["apiVersion"].split("/")[0]):
        content = json.loads(Path(__file__).with_name(f"{schema}.schema.json").read_text())
        found = [error.message for error in jsonschema.Draft7Validator(content).iter_errors(document)]
        pods = pods_of(document) if schema == "kuberay" and not found else []
        core = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod} for pod in pods]
    for item in core:
        try:
            validate.validate(item, validate.latest_version(), strict=True)
        except validate.ValidationError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("folder", KINDS)
def test_the_objects_of_a_folder_satisfy_their_schemas(folder: str) -> None:
    documents = rendered(ROOT / "infra" / folder)
    assert {document["kind"] for document in documents} == KINDS[folder]
    assert [found for document in documents for found in problems(document)] == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("kuberay/base/disruption.yaml", "maxUnavailable", "maxUnavailible"),
        ("kuberay/base/disruption.yaml", "selector: {matchLabels", "selector: {matchLabel"),
        ("kuberay/base/raycluster.yaml", "maxReplicas", "maxReplica"),
        ("kuberay/base/raycluster.yaml", "mountPath", "mountpath"),
        ("kuberay/base/raycluster.yaml", "mode: token", "mode: disabled"),
        ("kuberay/base/raycluster.yaml", "preStop", "prestop"),
        ("kuberay/base/raycluster.yaml", "nodeSelectorTerms", "nodeSelectorTerm"),
        ("kuberay/queues/queues.yaml", "nominalQuota", "quota"),
        ("kuberay/queues/queues.yaml", "withinClusterQueue: LowerPriority", "withinClusterQueue: Lower"),
        ("kuberay/queues/queues.yaml", "value: 1000", 'value: "1000"'),
        ("kuberay/queues/queues.yaml", "  clusterQueue: training", "  queue: training"),
        ("kuberay/monitoring/podmonitor.yaml", "interval: 15s", "interval: 15"),
        ("kuberay/monitoring/podmonitor.yaml", "podMetricsEndpoints", "endpoints"),
        ("kuberay/monitoring/podmonitor.yaml", "action: replace", "action: rename"),
        ("mlflow/postgres.yaml", "volumeClaimTemplates", "volumeClaims"),
        ("mlflow/server.yaml", "readinessProbe: {httpGet", "readinessProbe: {http"),
        ("mlflow/backup.yaml", "concurrencyPolicy", "concurrency"),
        ("mlflow/network-policy.yaml", "policyTypes", "policyType"),
        ("mirror/mirror.yaml", "initContainers", "initcontainers"),
    ],
)
def test_a_mistake_is_found(file: str, right: str, wrong: str) -> None:
    text = (ROOT / "infra" / file).read_text()
    assert right in text
    assert not [found for document in yaml.safe_load_all(text) for found in problems(document)]
    assert [found for document in yaml.safe_load_all(text.replace(right, wrong)) for found in problems(document)]


@pytest.mark.parametrize("right", ["serveConfigV2", "excludeHeadPodFromServeSvc", "rayVersion", "redisAddress"])
def test_a_mistake_in_the_service_is_found(right: str) -> None:
    text = json.dumps(by_kind(KUBERAY / "service")["RayService"])
    assert right in text
    assert problems(json.loads(text.replace(right, right + "s")))


@pytest.mark.parametrize("folder", ["kuberay/overlays/spot", "kuberay/jobs/gpu", "kuberay/service"])
def test_the_head_is_protected_and_every_ray_pod_drains_before_it_ends(folder: str) -> None:
    found = by_kind(ROOT / "infra" / folder)
    settings = found["ConfigMap"]["data"]
    assert {name: value for name, value in HEALTH.items() if name.startswith("RAY_health")}.items() <= settings.items()
    assert settings["RAY_USAGE_STATS_ENABLED"] == "0"
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 0
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == {"ray.io/node-type": "head"}
    [ray] = [document for kind, document in found.items() if kind.startswith("Ray")]
    for pod in pods_of(ray):
        command = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert command[:3] == ["python", "-m", "pipeline.launch.drain"]
        assert float(command[3]) < pod["terminationGracePeriodSeconds"]
        assert {"configMapRef": {"name": "pipeline"}} in pod["containers"][0]["envFrom"]


def test_a_services_head_keeps_what_it_knows_in_a_store_that_only_ray_reaches() -> None:
    documents = {(one["kind"], one["metadata"]["name"]): one for one in rendered(KUBERAY / "service")}
    options = cluster_of(documents["RayService", "pipeline"])["gcsFaultToleranceOptions"]
    host, port = options["redisAddress"].split(":")
    assert documents["Service", host]["spec"]["ports"] == [{"port": int(port)}]
    [server] = documents["StatefulSet", host]["spec"]["template"]["spec"]["containers"]
    assert {"name": "PASSWORD", **options["redisPassword"]} in server["env"]
    policy = documents["NetworkPolicy", host]["spec"]
    assert policy["podSelector"] == documents["StatefulSet", host]["spec"]["selector"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"ray.io/is-ray-node": "yes"}}}]


def test_spot_machines_get_workers_and_never_the_head() -> None:
    head, workers = (
        pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        for pod in pods_of(by_kind(KUBERAY / "overlays/spot")["RayCluster"])
    )
    [shunned] = head  # conditions of one term all hold; of several terms one
    chosen = [term["matchExpressions"][0] for term in workers]
    assert [one["operator"] for one in shunned["matchExpressions"]] == ["NotIn"] * 4
    assert [{**one, "operator": "In"} for one in shunned["matchExpressions"]] == chosen
    assert "tolerations" not in pods_of(by_kind(KUBERAY / "overlays/spot")["RayCluster"])[0]


def test_a_gpu_worker_has_one_gpu_and_runs_where_one_is() -> None:
    _, worker = pods_of(by_kind(KUBERAY / "overlays/gpu")["RayCluster"])
    assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert worker["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert [one["key"] for one in worker["tolerations"]] == ["nvidia.com/gpu"]


def test_a_job_brings_the_cluster_of_its_overlay() -> None:
    cluster = by_kind(KUBERAY / "overlays/gpu")["RayCluster"]
    assert by_kind(KUBERAY / "jobs/gpu")["RayJob"]["spec"]["rayClusterSpec"] == cluster["spec"]


def job(folder: Path, like: str, **parameters: str) -> Path:
    """A copy of a job's folder with parameters of its own."""
    text = (KUBERAY / "jobs" / like / "parameters.yaml").read_text()
    head, data = text.split("\ndata:\n")
    for key, value in parameters.items():
        data, count = re.subn(rf"(?m)^  {key}: .*$", f"  {key}: {json.dumps(value)}", data)
        assert count == 1
    folder.mkdir()
    (folder / "parameters.yaml").write_text(f"{head}\ndata:\n{data}")
    kustomization = (KUBERAY / "jobs" / like / "kustomization.yaml").read_text()
    (folder / "kustomization.yaml").write_text(kustomization.replace("../..", os.path.relpath(KUBERAY, folder)))
    return folder


def test_a_job_has_the_name_the_training_and_the_volume_of_its_parameters(tmp_path: Path) -> None:
    training = "experiment=imdb_lstm seed=7"
    found = by_kind(job(tmp_path / "job", "spot", name="lstm-7", training=training, volume="shared"))
    assert found["RayJob"]["metadata"]["name"] == "lstm-7"
    words = shlex.split(found["RayJob"]["spec"]["entrypoint"])
    assert words[4:] == [
        *["pipeline", "train", "--run-name", "lstm-7", "experiment=imdb_lstm", "seed=7", "cluster=ray"],
        "tracking.uri=$MLFLOW_TRACKING_URI",
    ]
    [volume] = pods_of(found["RayJob"])[0]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "shared"
    assert found["PersistentVolumeClaim"]["metadata"]["name"] == "shared"


def test_jobs_of_several_names_run_at_once_and_share_only_equal_objects(tmp_path: Path) -> None:
    first, second = (rendered(job(tmp_path / name, like, name=name)) for name, like in (("a", "dev"), ("b", "queued")))
    key = ("kind", "metadata")
    named = [{json.dumps([one[key[0]], one["metadata"]["name"]]): one for one in each} for each in (first, second)]
    shared = named[0].keys() & named[1].keys()
    assert {json.loads(name)[0] for name in shared} == SHARED
    assert all(named[0][name] == named[1][name] for name in shared)


def test_a_queued_job_has_its_queue_its_priority_and_a_cluster_of_fixed_size(tmp_path: Path) -> None:
    queues = {(one["kind"], one["metadata"]["name"]) for one in rendered(KUBERAY / "queues")}
    found = by_kind(job(tmp_path / "job", "queued", priority="high", workers="7"))["RayJob"]
    labels = found["metadata"]["labels"]
    assert ("LocalQueue", labels["kueue.x-k8s.io/queue-name"]) in queues
    assert labels["kueue.x-k8s.io/priority-class"] == "high"
    assert ("WorkloadPriorityClass", "high") in queues
    # Kueue's conditions for a RayJob: it starts suspended, its cluster is its own and does not grow.
    assert found["spec"]["suspend"] is True
    assert found["spec"]["shutdownAfterJobFinishes"] is True
    assert "enableInTreeAutoscaling" not in cluster_of(found)
    [workers] = cluster_of(found)["workerGroupSpecs"]
    assert [workers[key] for key in ("replicas", "minReplicas", "maxReplicas")] == [7, 7, 7]


def test_the_quota_names_each_resource_that_the_queue_covers() -> None:
    [group] = by_kind(KUBERAY / "queues")["ClusterQueue"]["spec"]["resourceGroups"]
    flavors = {one["metadata"]["name"] for one in rendered(KUBERAY / "queues") if one["kind"] == "ResourceFlavor"}
    assert {flavor["name"] for flavor in group["flavors"]} == flavors
    for flavor in group["flavors"]:  # a condition of Kueue's that no schema holds
        assert [resource["name"] for resource in flavor["resources"]] == group["coveredResources"]


def test_what_is_deployed_beyond_one_machine_names_the_published_image_by_its_digest() -> None:
    for folder in ("kuberay/overlays/gpu", "kuberay/jobs/queued", "mlflow", "mirror"):
        text = json.dumps(rendered(ROOT / "infra" / folder))
        assert {
            re.sub(".*lecture-pipeline", "", image) for image in re.findall(r'"image": "([^"]*pipeline[^"]*)"', text)
        } == {"@sha256:DIGEST"}
