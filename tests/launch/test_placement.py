"""How many workers there are: those that fit the shards, the cores and the nodes."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.actions.train import train
from pipeline.errors import ConfigError
from pipeline.launch import placement
from pipeline.launch.placement import fitting, largest_fitting, resolve_workers
from tests.conftest import Quiet


def config(workers: Any, shards: int = 4, **cluster: Any) -> dict[str, Any]:
    where = {"workers": workers, "threads_per_worker": 1, "gpus_per_worker": 0, **cluster}
    return {"trainer": {"shards": shards}, "cluster": where}


def test_as_many_workers_fit_as_compute_equal_numbers_of_shards() -> None:
    assert [fitting(shards) for shards in (1, 2, 8)] == [[1], [1, 2], [1, 2, 4, 8]]


@pytest.mark.parametrize(("shards", "room", "expected"), [(1, 8, 1), (4, 1, 1), (4, 3, 2), (4, 8, 4), (8, 7, 4)])
def test_auto_takes_the_most_that_fit_the_cores(
    shards: int, room: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "available_cores", lambda: room)
    assert resolve_workers(config("auto", shards)) == expected
    assert resolve_workers(config("auto", shards, threads_per_worker=room)) == 1


def test_on_a_cluster_auto_is_an_elastic_group() -> None:
    assert resolve_workers(config("auto", 4, address="10.0.0.5:6379")) == [1, 4]


@pytest.mark.parametrize(("room", "expected"), [(0, 1), (1, 1), (3, 2), (4, 4), (9, 4)])
def test_an_elastic_group_takes_the_most_that_fit_its_nodes(room: int, expected: int) -> None:
    assert largest_fitting(room, {"workers": [1, 6]}, 4) == expected


@pytest.mark.parametrize(("workers", "shards"), [(3, 4), (2, 1), (8, 4), ([5, 7], 4)])
def test_workers_that_do_not_fit_the_shards_are_refused_with_those_that_do(workers: Any, shards: int) -> None:
    fits = ", ".join(map(str, fitting(shards)))
    with pytest.raises(ConfigError, match=rf"trainer\.shards={shards} in equal parts\. Use {fits} or auto"):
        resolve_workers(config(workers, shards))


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["trainer.shards=3"], r"trainer\.shards: expected a power of two, got 3"),
        (["trainer.shards=2", "cluster.workers=4"], "Use 1, 2 or auto"),
        (["cluster=ray", "cluster.address=auto", "cluster.workers=2", "trainer.shards=1"], "Use 1 or auto"),
        (
            ["experiment=perceptron_gates", "trainer.shards=2"],
            r"trainer\.shards: this model is trained in one process only",
        ),
    ],
)
def test_a_run_that_can_not_be_shared_out_is_refused_before_it_starts(
    overrides: list[str], error: str, project: Path
) -> None:
    with pytest.raises(ConfigError, match=error):
        train(overrides, Quiet(), root=project)
    assert not (project / "runs").exists()
