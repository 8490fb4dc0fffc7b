"""Training where it is configured: in this process, or on several of this machine."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import kinds
from pipeline.config import build_data, digest, load_config, resolve
from pipeline.errors import ConfigError, LaunchError
from pipeline.launch.cluster import check, resolve_gpus
from pipeline.launch.placement import resolve_workers
from pipeline.launch.train import prepare, train
from pipeline.runs import checkpoints
from pipeline.runs import events as run_events
from pipeline.types import FitResult
from tests.conftest import TINY

# Workers are processes of their own, so they need real data: the digits that ship inside a package.
SAMPLE = ["data=mnist-5k", "data.augment=null", "data.batch_size=400", "trainer.max_epochs=1", "trainer.ema_decay=null"]


def launch(project: Path, name: str, *overrides: str) -> FitResult:
    config = resolve(load_config(*overrides))
    config["cluster"].update(gpus_per_worker=0, workers=resolve_workers(config))
    run_dir = project / name
    run_dir.mkdir()
    check(config["cluster"])
    data = build_data(config, project / "data").describe()
    with prepare(config) as local:
        return train(config, data, data_dir=project / "data", run_dir=run_dir, local=local)


def test_one_worker_runs_in_this_process_and_starts_no_cluster(tiny_mnist: Path) -> None:
    import ray

    result = launch(tiny_mnist, "one", *TINY)
    assert (result.workers, result.steps) == (1, 6)
    assert not ray.is_initialized()
    checkpoints.verify(result.model_dir)


def weights(result: FitResult) -> str:
    return checkpoints.weights_digest(checkpoints.verify(result.model_dir))


def test_two_workers_end_with_the_bits_of_one_and_validate_what_is_stored(project: Path) -> None:
    averaged = [*SAMPLE, "trainer.shards=2", "trainer.ema_decay=0.9", "model.net.dropout=0.5"]
    averaged += ["trainer.checkpoint_every_steps=3", "trainer.keep_checkpoints=9"]
    one, two = (launch(project, name, *averaged, f"cluster.workers={name}") for name in "12")
    assert (one.workers, two.workers) == (1, 2)
    assert (two.steps, two.metrics) == (one.steps, one.metrics)
    assert weights(two) == weights(one)
    events = [event for event in run_events.read(project / "2")[0] if "val/loss" in event.get("metrics", {})]
    assert len(events) == 1  # rank 0 alone writes
    # A state is stored a step after it is due, on all workers alike.
    states = sorted((project / "2/checkpoints").glob("step-*"))
    assert [int(state.name.removeprefix("step-")) for state in states] == [4, 8, 10]
    predictor: Any = kinds.load(two.model_dir)
    data = build_data(predictor.config, project / "data")
    data.setup()
    answers = predictor.predict_split(data, "val")
    right = (answers.y_score.argmax(axis=1) == answers.y_true).mean()
    assert two.metrics["val/accuracy"] == pytest.approx(right, abs=1e-6)


def test_more_workers_than_cores_are_refused_before_a_cluster_starts(project: Path) -> None:
    with pytest.raises(LaunchError, match=r"cluster.workers=512 .* needs 512 cores"):
        launch(project, "many", *SAMPLE, "cluster.workers=512", "trainer.shards=1024")


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(LaunchError, match="torch sees no GPU"):
        resolve_gpus({"workers": 1, "gpus_per_worker": 1})
    assert resolve_gpus({"workers": 1, "gpus_per_worker": "auto"}) == 0


@pytest.mark.parametrize("workers", ["[2,1]", "[0,2]", "[1,2,3]", "[1,x]", "[2,auto]", "[auto,auto]", "two"])
def test_workers_are_a_number_or_the_least_and_the_most(workers: str) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.workers: expected"):
        load_config(f"cluster.workers={workers}")


def test_where_and_on_how_many_workers_a_run_is_trained_does_not_make_it_another(project: Path) -> None:
    here = resolve(load_config("trainer.shards=4", "cluster.workers=2"))
    there = resolve(
        load_config("trainer.shards=4", "cluster=ray", "cluster.address=10.0.0.5:6379", "cluster.workers=4")
    )
    assert digest(here) == digest(there)
    assert digest(here) != digest(resolve(load_config()))
    older = resolve(load_config("trainer.shards=1"))
    expected = digest(older)
    del older["trainer"]["shards"]
    assert digest(older) == expected
