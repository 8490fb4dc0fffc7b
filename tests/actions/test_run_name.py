"""Runs of a name of their own: started again, an unfinished one is resumed and a finished one left as it is."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.actions import train as action
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records, storage
from tests.conftest import Quiet

XOR = ["experiment=mlp_xor", "trainer.max_epochs=2"]


@pytest.fixture
def trained(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of runs that were trained or resumed; the training itself is left out."""
    names: list[str] = []

    def train(config: Any, run_dir: Path, *_: Any, **__: Any) -> dict[str, Any]:
        names.append(run_dir.name)
        records.update(run_dir, status="interrupted", pid=0)
        return {"name": run_dir.name}

    monkeypatch.setattr(action, "execute", train)
    return names


def train(project: Path, *words: str, name: str | None = "job-1", storage: str | None = None) -> Any:
    return action.train([*XOR, *words], Quiet(), root=project, run_name=name, storage=storage)


def test_a_job_that_is_started_again_resumes_its_own_run_and_no_other(project: Path, trained: list[str]) -> None:
    train(project, name=None)  # an interrupted run of the same configuration
    train(project)
    train(project, name="job-2")
    train(project)
    assert trained[1:] == ["job-1", "job-2", "job-1"]
    assert len(lookup.listing(project)) == 3


def test_a_job_that_is_started_again_on_another_machine_resumes_the_copy_of_its_run(
    project: Path, trained: list[str]
) -> None:
    (project / "there").mkdir()
    uri = f"file://{project}/there"
    train(project, storage=uri)
    with storage.copied(project / "runs/job-1", uri, print):
        pass
    (project / "runs").rename(project / "lost")
    train(project, storage=uri)
    assert trained == ["job-1", "job-1"]
    assert (project / "runs/job-1/config.json").read_bytes() == (project / "lost/job-1/config.json").read_bytes()


def test_a_finished_run_is_not_trained_again_and_another_configuration_is_refused(
    project: Path, trained: list[str]
) -> None:
    train(project)
    with pytest.raises(LaunchError, match="--run-name job-1: that run has another configuration"):
        train(project, "seed=5")
    summary: Any = {"metrics": {"test/acc": 1.0}, "dataset": {}, "seconds": 1.0, "cpu_s": 1.0}
    records.update(project / "runs/job-1", status="finished", **summary)
    assert train(project)["metrics"] == {"test/acc": 1.0}
    assert trained == ["job-1"]
