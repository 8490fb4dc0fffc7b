"""A training's metrics: measured in its workers, exported by Ray's nodes, drawn by the dashboard."""

import json
import re
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.request import urlopen

import pytest
import torch
from torch import Tensor

from pipeline.launch import metrics, worker_metrics
from pipeline.runs.events import scan
from pipeline.types import Event
from tests.launch.nodes import PATIENCE_S, SAMPLE, job, nodes

DASHBOARD = Path(__file__).parents[2] / "infra/kuberay/monitoring/dashboard.json"
OF_RAY = {"ray_node_mem_used", "ray_node_mem_total", "ray_node_gpus_utilization", "ray_node_cpu_utilization"}


class Recorded:
    """Ray's counters and gauges, as a test sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.values: dict[str, float] = defaultdict(float)
        monkeypatch.setattr(worker_metrics, "tagged", self.tagged)
        monkeypatch.setattr(metrics, "tagged", self.tagged)

    def tagged(self, kind: Any, metric: metrics.Metric, tags: dict[str, str]) -> Any:
        def inc(value: float) -> None:
            self.values[metric.name] += value

        def set_(value: float) -> None:
            self.values[metric.name] = value

        return SimpleNamespace(inc=inc, set=set_)


class SlowSum:
    """An exchange that takes a tenth of a second."""

    rank, workers = 0, 2

    def sum(self, *pieces: Tensor) -> Tensor:
        time.sleep(0.1)
        return 2 * torch.cat(pieces)


def test_a_worker_adds_up_its_steps_its_waits_and_its_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch)
    clock = iter([10.0, 10.5, 12.5, 12.5, 13.5, 14.5, 14.5])  # epoch; start, end, after; start, end, after
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    exchange = SimpleNamespace(rank=0, seconds=0.75)
    measured = worker_metrics.WorkerMetrics("run", cast(Any, exchange), batch_size=32)
    trainer, module = SimpleNamespace(global_step=7), SimpleNamespace(device=torch.device("cpu"))
    measured.on_train_start(cast(Any, trainer), cast(Any, module))
    measured.on_train_epoch_start(cast(Any, trainer), cast(Any, module))
    for _ in range(2):
        measured.on_train_batch_start(cast(Any, trainer), cast(Any, module), None, 0)
        trainer.global_step += 1
        measured.on_train_batch_end(cast(Any, trainer), cast(Any, module), None, None, 0)
    measured.on_train_end(cast(Any, trainer), cast(Any, module))
    assert recorded.values["pipeline_steps"] == 2
    assert recorded.values["pipeline_samples"] == 64
    assert recorded.values["pipeline_step_seconds"] == pytest.approx(2.0 + 1.0)
    assert recorded.values["pipeline_data_wait_seconds"] == pytest.approx(0.5 + 1.0)
    assert recorded.values["pipeline_exchange_seconds"] == 0.75
    assert recorded.values["pipeline_worker_memory_bytes"] > 2**20
    assert recorded.values["pipeline_worker_cpu_seconds"] > 0
    assert "pipeline_worker_gpu_memory_bytes" not in recorded.values


def test_only_the_first_worker_counts_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorded(monkeypatch)
    assert worker_metrics.WorkerMetrics("run", cast(Any, SimpleNamespace(rank=1)), batch_size=32).batch_size == 0


def test_a_timed_exchange_sums_as_the_one_within_it() -> None:
    timed = worker_metrics.TimedExchange(SlowSum())
    assert timed.sum(torch.tensor([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert 0.1 <= timed.seconds < 5
    assert (timed.rank, timed.workers) == (0, 2)


def test_progress_goodput_and_restarts_come_from_the_events() -> None:
    events: list[Event] = [
        {"time": 0.0, "step": 0, "workers": 2},
        {"time": 1.0, "step": 1, "total": 4},
        {"time": 2.0, "step": 1, "interrupted": "failure"},
        {"time": 5.0, "step": 2, "total": 4},
    ]
    # 4 s from the first to the last step, all of them lost: from step 1 to the next new step.
    assert metrics.run_values(events) == {metrics.PROGRESS: 0.5, metrics.GOODPUT: 0.0, metrics.RESTARTS: 1.0}
    assert metrics.run_values([]) == {metrics.GOODPUT: 1.0, metrics.RESTARTS: 0.0}


def in_dashboard(content: str) -> set[str]:
    """The names of all metrics in the queries of a dashboard."""
    queries = [target["expr"] for panel in json.loads(content)["panels"] for target in panel.get("targets", [])]
    assert queries
    return {name for query in queries for name in re.findall(r"\bray_\w+", query)}


def exported() -> set[str]:
    """The names that Prometheus sees."""
    counters = {f"ray_{metric.name}_total" for metric in metrics.COUNTERS}
    return counters | {f"ray_{metric.name}" for metric in metrics.GAUGES}


def test_the_dashboard_draws_every_metric_and_no_other() -> None:
    content = DASHBOARD.read_text()
    assert in_dashboard(content) == exported() | OF_RAY
    assert in_dashboard(content.replace("pipeline_steps", "pipeline_step")) != exported() | OF_RAY


def test_the_dashboard_has_what_grafana_needs() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"]
    assert dashboard["schemaVersion"] >= 39
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "run"}
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(identities) == len(set(identities))
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["gridPos"].keys() == {"x", "y", "w", "h"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.slow
def test_prometheus_sees_a_training_and_its_workers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_metrics_report_interval_ms", "1000")
    with nodes(1, 1) as cluster:
        words = ["cluster=ray", f"cluster.address={cluster.address}", "cluster.workers=2"]
        with job(project, "train", *SAMPLE, "trainer.max_epochs=400", *words) as running:
            running.until_step(30)
            ends, lacking = time.monotonic() + PATIENCE_S, exported()
            wanted = {name for name in exported() if "gpu" not in name}
            assert running.run_dir
            while lacking and time.monotonic() < ends:
                text = scraped(cluster.cluster.list_all_nodes())
                found = re.findall(rf'(?m)^(ray_pipeline_\w+){{[^}}]*run="{running.run_dir.name}"[^}}]*}} (\S+)', text)
                lacking = wanted - {name for name, value in found}
                time.sleep(1)
            assert not lacking, (lacking, running.output())
            workers = set(re.findall(r'ray_pipeline_steps_total{[^}]*worker="(\d)"', text))
            assert workers == {"0", "1"}
            assert all(float(value) > 0 for name, value in found if name == "ray_pipeline_exchange_seconds_total")
            # The load of the driver's machine, and of the nodes of its workers, for MLflow.
            names = {name for event, _ in scan(running.run_dir) for name in event.get("system", {})}
            address = cluster.cluster.head_node.node_ip_address
            assert {f"system/{of}cpu_utilization_percentage" for of in ("", f"{address}/")} <= names
            assert OF_RAY - {"ray_node_gpus_utilization"} <= set(re.findall(r"(?m)^(ray_node_\w+)", text))


def scraped(nodes: list[Any]) -> str:
    """The metrics of all nodes, as Prometheus reads them."""
    texts = []
    for node in nodes:
        with urlopen(f"http://{node.node_ip_address}:{node.metrics_export_port}/metrics", timeout=10) as reply:
            texts.append(reply.read().decode())
    return "\n".join(texts)
