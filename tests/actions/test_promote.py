"""The champion changes hands for more than noise, and for nothing less."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.actions import promote
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records
from tests.conftest import Quiet
from tests.tracked import URI, track

RIGHT = {"first": "1" * 80 + "0" * 20, "same": "0" * 20 + "1" * 80, "better": "1" * 95 + "0" * 5}


@pytest.fixture
def root(project: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three tracked runs, each with a model and its answers on 100 samples."""
    for name in RIGHT:
        folder = project / "runs" / name
        (folder / "model").mkdir(parents=True)
        (folder / "model/weights").write_text(name)
        (folder / "config.json").write_text(json.dumps({"resolved": {"tracking": {"uri": URI}}}))
        facts = {"name": name, "data": "mnist", "status": "finished", "started": 0}
        (folder / "run.json").write_text(json.dumps(facts))
    (project / "runs/mlflow.db").write_bytes(empty_database.read_bytes())
    for name in RIGHT:
        track(project, name)

    def evaluated(record: dict[str, Any], *_: Any) -> dict[str, Any]:
        samples = {"right": RIGHT[record["name"]], "truth_digest": record.get("error", "t")}
        return {"metrics": {"val/accuracy": RIGHT[record["name"]].count("1") / 100}, "weights_digest": "w"} | {
            "samples": samples
        }

    monkeypatch.setattr(promote, "_evaluate", evaluated)
    monkeypatch.setattr(promote, "model_card", lambda folder, _: f"# Model Card for {folder.parent.name}")
    return project


def champion(root: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root}/{URI.removeprefix('sqlite:///')}").get_model_version_by_alias(
        "mnist", "champion"
    )


def test_the_alias_moves_to_the_first_and_to_the_better_and_a_tie_keeps_it(root: Path) -> None:
    first = promote.promote("first", Quiet(), root=root)
    assert (first.promoted, first.version, first.rival, first.why) == (True, "1", None, "first model of this data set")
    assert champion(root).description == "# Model Card for first"
    tie = promote.promote("same", Quiet(), root=root)
    assert (tie.promoted, tie.rival, tie.difference, tie.champion) == (False, "first", 0.0, "first")
    assert champion(root).version == 1
    again = promote.promote("first", Quiet(), root=root)
    assert (again.promoted, again.version, again.why) == (False, "1", "is the champion already")
    better = promote.promote("better", Quiet(), root=root)
    assert (better.promoted, better.champion) == (True, "better")
    assert better.difference == pytest.approx(0.15)
    assert better.error == pytest.approx(np.sqrt(0.15 * 0.85 / 99))  # the variance of 15 ones among 100
    now = champion(root)
    assert (now.version, now.run_id) == (3, lookup.find("better", root)["run_id"])
    assert now.tags["val/accuracy"] == "0.95"
    assert now.source.endswith("/artifacts/model")
    assert not (root / "mlruns").exists()


def test_what_can_not_be_compared_leaves_the_champion(root: Path) -> None:
    promote.promote("first", Quiet(), root=root)
    records.update(root / "runs/better", error="other")
    with pytest.raises(LaunchError, match="better and the champion first were validated on different samples of mnist"):
        promote.promote("better", Quiet(), root=root)
    (root / "runs/first").rename(root / "gone")
    with pytest.raises(LaunchError, match=r"mnist: its champion, version 1, .* Fetch that run's folder"):
        promote.promote("better", Quiet(), root=root)
    assert champion(root).version == 1


def test_a_run_that_is_not_finished_or_not_tracked_is_refused(root: Path) -> None:
    records.update(root / "runs/first", status="failed")
    with pytest.raises(LaunchError, match="first is failed; only a finished run"):
        promote.promote("first", Quiet(), root=root)
    records.update(root / "runs/better", run_id=None)
    with pytest.raises(LaunchError, match="`pipeline sync better`"):
        promote.promote("better", Quiet(), root=root)


def test_a_difference_within_the_noise_is_told_as_such() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 200_000)) < 0.9
    difference, error = promote.paired_difference(one, other)
    assert abs(difference) < 4 * error
    assert error == pytest.approx(np.sqrt(2 * 0.9 * 0.1 / 200_000), rel=0.02)  # of two independent models
    assert promote.paired_difference(one, one) == (0.0, 0.0)


@pytest.mark.slow
def test_the_command_promotes_a_trained_unit_and_keeps_it_against_its_twin(project: Path) -> None:
    def pipeline(*words: str) -> str:
        command = [sys.executable, "-m", "pipeline", *words]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = []
    for _ in range(2):
        pipeline("train", "experiment=neuron")
        told.append(pipeline("promote", "latest", "--json").splitlines())
    first, twin = (json.loads(lines[-1]) for lines in told)
    assert (first["model"], first["promoted"], first["champion"]) == ("gate", True, first["run"])
    assert (twin["promoted"], twin["champion"], twin["version"]) == (False, first["run"], "2")
    assert (twin["difference"], twin["error"]) == (0.0, 0.0)
    assert told[1][-2].startswith(f"kept        models:/gate@champion is {first['run']}: ")
    assert not (project / "mlruns").exists()
