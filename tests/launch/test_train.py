"""The same training under Ray Train: in this process, and as a group of workers on a cluster."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import kinds
from pipeline.actions.train import train as run
from pipeline.config import build_data, digest, load_config, resolve
from pipeline.errors import ConfigError, LaunchError, PipelineError
from pipeline.launch.cluster import connect, resolve_gpus
from pipeline.launch.train import train
from pipeline.runs import checkpoints
from pipeline.runs import events as run_events
from pipeline.types import FitResult
from tests.conftest import TINY, Quiet

# Workers are processes of their own, so they need real data: the digits that ship inside a package.
SAMPLE = ["data=mnist-5k", "data.augment=null", "data.batch_size=400", "trainer.max_epochs=1", "trainer.ema_decay=null"]


def launch(project: Path, name: str, *overrides: str) -> FitResult:
    config = resolve(load_config(*overrides))
    run_dir = project / name
    run_dir.mkdir()
    with connect(config["cluster"]):
        config["cluster"]["gpus_per_worker"] = resolve_gpus(config["cluster"])
        data = build_data(config, project / "data").describe()
        return train(config, data, data_dir=project / "data", run_dir=run_dir)


def test_one_worker_runs_in_this_process_and_starts_no_cluster(tiny_mnist: Path) -> None:
    import ray

    result = launch(tiny_mnist, "one", *TINY)
    assert (result.workers, result.steps) == (1, 6)
    assert not ray.is_initialized()
    checkpoints.verify(result.model_dir)


def test_two_workers_average_their_gradients_into_what_one_worker_learns(project: Path) -> None:
    # Without batch norm (whose statistics are each worker's own) and dropout, two halves of a batch are the batch.
    plain = [*SAMPLE, "+model.net.batch_norm=false", "model.net.dropout=0"]
    one = launch(project, "one", *plain)
    two = launch(project, "two", *plain, "cluster.workers=2")
    assert (two.workers, two.steps) == (2, one.steps) == (2, 10)
    assert two.metrics["val/loss"] == pytest.approx(one.metrics["val/loss"], rel=1e-3)
    assert two.metrics["train/loss"] == pytest.approx(one.metrics["train/loss"], rel=1e-3)
    checkpoints.verify(two.model_dir)
    events = [event for event in run_events.read(project / "two")[0] if "val/loss" in event.get("metrics", {})]
    assert len(events) == 1  # rank 0 alone writes


def test_two_workers_validate_what_is_stored_and_keep_a_state_a_step_after_it_is_due(project: Path) -> None:
    averaged = [*SAMPLE, "trainer.ema_decay=0.9", "trainer.checkpoint_every_steps=3", "trainer.keep_checkpoints=9"]
    two = launch(project, "two", *averaged, "cluster.workers=2")
    states = sorted((project / "two/checkpoints").glob("step-*"))
    assert [int(state.name.removeprefix("step-")) for state in states] == [4, 8, 10]
    predictor: Any = kinds.load(two.model_dir)
    data = build_data(predictor.config, project / "data")
    data.setup()
    answers = predictor.predict_split(data, "val")
    right = (answers.y_score.argmax(axis=1) == answers.y_true).mean()
    assert two.metrics["val/accuracy"] == pytest.approx(right, abs=1e-6)


def test_more_workers_than_cores_are_refused_before_a_cluster_starts(project: Path) -> None:
    with pytest.raises(LaunchError, match=r"cluster.workers=512 .* needs 512 cores"):
        launch(project, "many", *SAMPLE, "cluster.workers=512", "data.batch_size=512")


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(LaunchError, match="torch sees no GPU"):
        resolve_gpus({"workers": 1, "gpus_per_worker": 1})
    assert resolve_gpus({"workers": 1, "gpus_per_worker": "auto"}) == 0


def test_an_error_in_the_workers_arrives_as_it_was_raised(project: Path) -> None:
    wild = [*SAMPLE, "model.optimizer.lr=1000", "trainer.max_epochs=50", "+model.net.batch_norm=false"]
    with pytest.raises(PipelineError, match="The loss is"):
        launch(project, "nan", *wild, "cluster.workers=2")


@pytest.mark.parametrize("workers", ["[2,1]", "[0,2]", "[1,2,3]", "[1,x]", "two"])
def test_workers_are_a_number_or_the_least_and_the_most(workers: str) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.workers: expected"):
        load_config(f"cluster.workers={workers}")


def test_a_batch_that_not_every_size_of_group_can_share_is_refused(project: Path) -> None:
    with pytest.raises(ConfigError, match="128 is not a multiple of 3 workers"):
        run(["data=mnist-5k", "cluster=ray", "cluster.address=auto", "cluster.workers=[2,4]"], Quiet(), root=project)


def test_where_a_run_is_trained_does_not_make_it_another(project: Path) -> None:
    here = resolve(load_config("cluster.workers=2"))
    there = resolve(load_config("cluster=ray", "cluster.address=10.0.0.5:6379", "cluster.workers=2"))
    assert digest(here) == digest(there)
