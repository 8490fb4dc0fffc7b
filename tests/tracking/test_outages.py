"""Outages of MLflow's own server: a run still finishes, and nothing is lost or doubled."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.actions.sync import sync
from pipeline.actions.train import train
from pipeline.runs import events, lookup
from pipeline.tracking import mlflow_store
from pipeline.tracking.mlflow_store import MLflowStore
from pipeline.tracking.upload_queue import UploadQueue
from pipeline.types import Event
from tests.conftest import TINY, Quiet
from tests.faulty import Mode, Proxy, mlflow_server, proxy

pytestmark = pytest.mark.slow
EPOCHS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[int]:
    """The port of an MLflow server."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(empty_database.read_bytes())
    with mlflow_server(folder) as port:
        yield port


@pytest.fixture
def faulty(server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(mlflow_store, "TIMEOUT_S", 2)  # less than a slow server's answer takes
    with proxy(server) as between:
        yield between


class Switching(Quiet):
    """Switches the server's behaviour at the first progress of training."""

    def __init__(self, faulty: Proxy, mode: Mode):
        super().__init__()
        self.faulty, self.mode = faulty, mode

    def progress(self, events: list[Event]) -> None:
        self.faulty.mode = self.mode


def check_nothing_lost_or_doubled(root: Path, uri: str) -> None:
    from mlflow import MlflowClient

    record = lookup.find("latest", root)
    client = MlflowClient(uri)
    found = client.get_run(record["run_id"])
    assert found.info.status == "FINISHED"
    written = Counter(
        (name, event["epoch"] + 1)
        for event in events.read(Path(record["run_dir"]))[0]
        for name in event.get("metrics", {})
    )
    sent = Counter(
        (point.key, point.step)
        for name in {name for name, _ in written}
        for point in client.get_metric_history(record["run_id"], name)
    )
    assert sent == written
    assert set(written.values()) == {1}
    assert len({step for _, step in written}) == EPOCHS
    assert found.data.metrics["test/accuracy"] == record["metrics"]["test/accuracy"]
    artifacts = {item.path for item in client.list_artifacts(record["run_id"])}
    assert {"confusion_matrix.png", "learning_curves.png"} <= artifacts
    (model,) = client.search_logged_models([found.info.experiment_id], f"source_run_id = '{record['run_id']}'")
    assert model.status == "READY"
    named = [run for run in client.search_runs([found.info.experiment_id]) if run.info.run_name == record["name"]]
    assert len(named) == 1


@pytest.mark.parametrize("when", ["from the start", "in the middle"])
@pytest.mark.parametrize("mode", ["refuses", "hangs", "slow", "loses answers", "429", "500", "flaps"])
def test_a_run_survives_a_server_that(mode: Mode, when: str, faulty: Proxy, tiny_mnist: Path) -> None:
    uri = f"http://127.0.0.1:{faulty.port}"
    out = Switching(faulty, mode)
    faulty.mode = mode if when == "from the start" else "well"
    words = [*TINY, f"trainer.max_epochs={EPOCHS}", f"tracking.uri={uri}"]
    summary = train(words, out, root=tiny_mnist)

    assert summary["metrics"]["test/accuracy"] == 1.0
    assert lookup.find("latest", tiny_mnist)["status"] == "finished"
    if UploadQueue(Path(summary["run_dir"]), MLflowStore(uri, tiny_mnist)).waiting():
        assert any("WARNING" in line for line in out.lines)
        assert f"`pipeline sync {summary['name']}`" in out.lines[-1]
    faulty.mode = "well"
    sync(None, Quiet(), root=tiny_mnist)
    check_nothing_lost_or_doubled(tiny_mnist, uri)
    assert sync(None, Quiet(), root=tiny_mnist) == []
