"""The same training under Ray Train: in this process, and as a group of workers on a cluster."""

from pathlib import Path

import pytest

from pipeline import checkpoint, spool
from pipeline.config import load_config, resolve
from pipeline.errors import LaunchError, PipelineError
from pipeline.launch.train import resolve_gpus, train
from tests.conftest import TINY


def launch(project: Path, name: str, *overrides: str):  # type: ignore[no-untyped-def]
    config = resolve(load_config(*TINY, *overrides))
    config["cluster"]["gpus_per_worker"] = resolve_gpus(config)
    run_dir = project / name
    run_dir.mkdir()
    return train(config, data_dir=project / "data", run_dir=run_dir)


def test_one_worker_runs_in_this_process_and_starts_no_cluster(tiny_mnist: Path) -> None:
    import ray

    result = launch(tiny_mnist, "one")
    assert (result.workers, result.steps) == (1, 6)
    assert not ray.is_initialized()
    checkpoint.verify(result.model_dir)


def test_two_workers_average_their_gradients_into_what_one_worker_learns(tiny_mnist: Path) -> None:
    # Without batch norm (whose statistics are each worker's own) and dropout, two halves of a batch are the batch.
    plain = ["+model.net.batch_norm=false", "model.net.dropout=0", "model.label_smoothing=0", "trainer.max_epochs=4"]
    one = launch(tiny_mnist, "one", *plain)
    two = launch(tiny_mnist, "two", *plain, "cluster.workers=2")
    assert (two.workers, two.steps) == (2, one.steps)
    assert two.metrics["val/loss"] == pytest.approx(one.metrics["val/loss"], rel=1e-3)
    assert two.metrics["train/loss"] == pytest.approx(one.metrics["train/loss"], rel=1e-3)
    checkpoint.verify(two.model_dir)
    epochs = [event for event in spool.read(tiny_mnist / "two")[0] if "val/loss" in event.get("metrics", {})]
    assert len(epochs) == 4  # rank 0 alone writes


def test_more_workers_than_cores_are_refused_before_a_cluster_starts(tiny_mnist: Path) -> None:
    with pytest.raises(LaunchError, match=r"cluster.workers=512 .* needs 512 cores"):
        launch(tiny_mnist, "many", "cluster.workers=512", "data.batch_size=512")


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(LaunchError, match="torch sees no GPU"):
        resolve_gpus({"cluster": {"gpus_per_worker": 1}})
    assert resolve_gpus({"cluster": {"gpus_per_worker": "auto"}}) == 0


def test_an_error_in_the_workers_arrives_as_it_was_raised(tiny_mnist: Path) -> None:
    with pytest.raises(PipelineError, match="The loss is"):
        launch(
            tiny_mnist,
            "nan",
            "cluster.workers=2",
            "model.optimizer.lr=1000",
            "trainer.max_epochs=200",
            "+model.net.batch_norm=false",
        )
